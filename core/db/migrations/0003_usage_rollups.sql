-- WITHOUT ROWID: the primary key is the table, so that a range of it is read in one go.
CREATE TABLE `usage_sums` (
	`cut` text NOT NULL,
	`user_id` integer NOT NULL,
	`start` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`model` text NOT NULL,
	`backend` text NOT NULL,
	`requests` integer NOT NULL,
	`errors` integer NOT NULL,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`cache_read_tokens` integer NOT NULL,
	`cache_write_5m_tokens` integer NOT NULL,
	`cache_write_1h_tokens` integer NOT NULL,
	`cost_micros` integer NOT NULL,
	`latency_ms` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`cut`, `user_id`, `start`, `api_key_id`, `model`, `backend`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `usage_latency` (
	`unit` text NOT NULL,
	`start` integer NOT NULL,
	`backend` text NOT NULL,
	`bucket` integer NOT NULL,
	`requests` integer NOT NULL,
	PRIMARY KEY(`unit`, `start`, `backend`, `bucket`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `usage_summed` (
	`id` integer PRIMARY KEY NOT NULL,
	`log_id` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `usage_hourly_new` (
	`hour` integer NOT NULL,
	`user_id` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`model` text NOT NULL,
	`backend` text NOT NULL,
	`requests` integer NOT NULL,
	`errors` integer NOT NULL,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`cache_read_tokens` integer NOT NULL,
	`cache_write_5m_tokens` integer NOT NULL,
	`cache_write_1h_tokens` integer NOT NULL,
	`cost_micros` integer NOT NULL,
	`latency_ms` integer NOT NULL,
	`last_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `hour`, `api_key_id`, `model`, `backend`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO usage_hourly_new (hour, user_id, api_key_id, model, backend, requests, errors, input_tokens, output_tokens, cache_read_tokens,
  cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, latency_ms, last_at)
SELECT hour / 3600000 * 3600000, user_id, api_key_id, model, backend, sum(requests), sum(errors), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
  sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(cost_micros), sum(latency_ms), max(last_at)
FROM usage_hourly GROUP BY 1, 2, 3, 4, 5;
--> statement-breakpoint
DROP TABLE `usage_hourly`;
--> statement-breakpoint
ALTER TABLE `usage_hourly_new` RENAME TO `usage_hourly`;
--> statement-breakpoint
CREATE INDEX `usage_hourly_hour` ON `usage_hourly` (`hour`,`model`,`backend`);
--> statement-breakpoint
DROP INDEX `usage_logs_key`;
--> statement-breakpoint
WITH cuts (cut, ms, people, places) AS (VALUES
  ('site_hour', 3600000, 0, 1), ('site_day', 86400000, 0, 1), ('key_day', 86400000, 1, 0), ('full_day', 86400000, 1, 1),
  ('full_fortnight', 1209600000, 1, 1), ('total', 9007199254740991, 1, 1))
INSERT INTO usage_sums (cut, user_id, start, api_key_id, model, backend, requests, errors, input_tokens, output_tokens, cache_read_tokens,
  cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, latency_ms, last_at)
SELECT cut, iif(people, user_id, 0), hour / ms * ms, iif(people, api_key_id, 0), iif(places, model, ''),
  iif(places, backend, ''), sum(requests), sum(errors), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
  sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(cost_micros), sum(latency_ms), max(last_at)
FROM usage_hourly CROSS JOIN cuts GROUP BY 1, 2, 3, 4, 5, 6;
--> statement-breakpoint
INSERT INTO usage_sums (cut, user_id, start, api_key_id, model, backend, requests, errors, input_tokens, output_tokens, cache_read_tokens,
  cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, latency_ms, last_at)
SELECT 'site_quarter', 0, created_at / 900000 * 900000, 0, model, backend, count(*), sum(outcome <> 'ok'),
  sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
  sum(cost_micros), sum(latency_ms), max(created_at)
FROM usage_logs GROUP BY 3, model, backend;
--> statement-breakpoint
-- The bucket is that of core/usage/latency.ts: hexadecimal digits, then the step among them.
INSERT INTO usage_latency (unit, start, backend, bucket, requests)
SELECT unit, created_at / ms * ms, backend, 16 * digits
  + (lead >= 19) + (lead >= 23) + (lead >= 27) + (lead >= 32) + (lead >= 38) + (lead >= 45) + (lead >= 54) + (lead >= 64)
  + (lead >= 76) + (lead >= 91) + (lead >= 108) + (lead >= 128) + (lead >= 152) + (lead >= 181) + (lead >= 215), count(*)
FROM (SELECT created_at, backend, length(printf('%x', latency_ms)) AS digits,
  (latency_ms << 4) >> (4 * length(printf('%x', latency_ms)) - 4) AS lead FROM usage_logs)
CROSS JOIN (SELECT 'hour' AS unit, 3600000 AS ms UNION ALL SELECT 'day', 86400000)
GROUP BY 1, 2, 3, 4;
--> statement-breakpoint
INSERT INTO usage_summed (id, log_id) SELECT 1, coalesce(max(id), 0) FROM usage_logs;
