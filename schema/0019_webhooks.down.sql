DROP TRIGGER event_outbox_news ON event_outbox;
DROP FUNCTION outbox_news();
DROP TRIGGER event_outbox_wanted ON event_outbox;
DROP FUNCTION outbox_wanted();
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
