DROP TABLE used_jump_tokens;
DROP TABLE push_reports;
