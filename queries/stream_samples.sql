-- name: SamplesInsert :exec
INSERT INTO stream_samples (at, stream, viewers, kbps, node)
SELECT @at, unnest(@streams::bytea[]), unnest(@viewers::integer[]), nullif(unnest(@kbps::integer[]), -1), @node;

-- Each step of a stream: what its nodes told in it on average, of all of them.
-- name: SamplesOf :many
SELECT n.step::timestamptz AS at, round(sum(n.viewers))::bigint AS viewers, coalesce(round(max(n.kbps)), -1)::bigint AS kbps FROM (
    SELECT date_bin(make_interval(secs => @step_seconds::integer), s.at, timestamptz 'epoch') AS step, s.node,
        avg(s.viewers) AS viewers, avg(s.kbps) AS kbps
    FROM stream_samples s
    WHERE s.stream = @stream AND s.at >= @since AND s.at < @until
    GROUP BY 1, 2) n
GROUP BY n.step
ORDER BY n.step
LIMIT @row_limit;
