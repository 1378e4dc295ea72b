-- Groups, spend limits and what is counted against them. Triggers write down whose callers changed.
CREATE TABLE `group_changes` (
	`group_id` integer PRIMARY KEY NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `group_changes_revision` ON `group_changes` (`revision`);--> statement-breakpoint
CREATE TABLE `group_members` (
	`group_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`group_id`, `user_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `group_members_user` ON `group_members` (`user_id`);--> statement-breakpoint
CREATE TABLE `group_models` (
	`group_id` integer NOT NULL,
	`model` text NOT NULL,
	`access` text NOT NULL,
	PRIMARY KEY(`group_id`, `model`)
);
--> statement-breakpoint
CREATE TABLE `groups` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`source` text NOT NULL,
	`external_id` text,
	`bills` integer NOT NULL,
	`priority` integer DEFAULT 100 NOT NULL,
	`parent_id` integer,
	`requests_per_minute` integer,
	`tokens_per_minute` integer,
	`concurrent_requests` integer,
	`lead_max_micros` integer DEFAULT 0 NOT NULL,
	`leads_add` integer DEFAULT false NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `groups_name` ON `groups` (`name`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `groups_parent` ON `groups` (`parent_id`);--> statement-breakpoint
CREATE TABLE `increase_requests` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`period` text NOT NULL,
	`amount_micros` integer NOT NULL,
	`reason` text NOT NULL,
	`status` text NOT NULL,
	`reviewer_id` integer,
	`review_note` text,
	`granted_micros` integer,
	`granted_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `increase_requests_user` ON `increase_requests` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `increase_requests_status` ON `increase_requests` (`status`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `increase_requests_one_pending` ON `increase_requests` (`user_id`,`period`) WHERE status = 'pending';--> statement-breakpoint
CREATE TABLE `limit_spent` (
	`owner` text NOT NULL,
	`period` text NOT NULL,
	`start` integer NOT NULL,
	`micros` integer NOT NULL,
	`tokens` integer NOT NULL,
	PRIMARY KEY(`owner`, `period`, `start`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `limit_state` (
	`id` integer PRIMARY KEY NOT NULL,
	`time_zone` text NOT NULL,
	`period` text,
	`budgets_moved` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `spend_limits` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`scope` text NOT NULL,
	`scope_id` integer NOT NULL,
	`period` text NOT NULL,
	`amount_micros` integer,
	`is_set` integer DEFAULT true NOT NULL,
	`temporary_micros` integer,
	`temporary_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `spend_limits_scope` ON `spend_limits` (`scope`,`scope_id`,`period`);--> statement-breakpoint
CREATE TABLE `usage_by_group` (
	`cut` text NOT NULL,
	`start` integer NOT NULL,
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
	`billing_group_id` integer DEFAULT 0 NOT NULL,
	`billing_parents` text DEFAULT '' NOT NULL,
	`client` text DEFAULT '' NOT NULL,
	`project` text DEFAULT '' NOT NULL,
	`input_micros` integer DEFAULT 0 NOT NULL,
	`output_micros` integer DEFAULT 0 NOT NULL,
	`cache_read_micros` integer DEFAULT 0 NOT NULL,
	`cache_write_5m_micros` integer DEFAULT 0 NOT NULL,
	`cache_write_1h_micros` integer DEFAULT 0 NOT NULL,
	`server_tool_micros` integer DEFAULT 0 NOT NULL,
	`saved_micros` integer DEFAULT 0 NOT NULL,
	`web_searches` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`cut`, `user_id`, `start`, `billing_group_id`, `billing_parents`, `api_key_id`, `model`, `backend`, `client`, `project`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `api_keys` ADD `tokens_per_minute` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `billing_group_id` integer;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `models` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `networks` text;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `billing_groups` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `day_start` integer;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `week_start` integer;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `month_start` integer;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `minute_tokens` integer;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `tokens_end_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `ledger_holds` ADD `states` text;--> statement-breakpoint
CREATE INDEX `ledger_holds_open` ON `ledger_holds` (`user_id`) WHERE running or tokens > 0 or cost_micros > 0;--> statement-breakpoint
DROP TRIGGER usage_logs_free_hold;
--> statement-breakpoint
-- A second counts as one of the last minute until all of it is over.
CREATE TRIGGER usage_logs_free_hold AFTER INSERT ON usage_logs BEGIN UPDATE ledger_holds SET tokens = 0, cost_micros = 0, running = 0, record = NULL, minute_tokens = iif(running AND minute_tokens IS NOT NULL, new.input_tokens + new.output_tokens + new.cache_write_5m_tokens + new.cache_write_1h_tokens, minute_tokens), tokens_end_at = iif(running AND minute_tokens IS NOT NULL, ((new.created_at + new.latency_ms) / 1000 + 61) * 1000, tokens_end_at), ends_at = max(minute_ends_at, iif(running AND minute_tokens IS NOT NULL, ((new.created_at + new.latency_ms) / 1000 + 61) * 1000, tokens_end_at)) WHERE id = new.request_id; END;
--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `billing_group_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `billing_parents` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `client` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `project` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `input_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `output_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `cache_read_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `cache_write_5m_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `cache_write_1h_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `server_tool_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `saved_micros` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `web_searches` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `service_tier` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `speed` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `geo` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_logs` ADD `context_window` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_summed` ADD `spent_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_summed` ADD `grouped_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_summed` ADD `ungrouped_id` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `usage_summed` ADD `grouped_since` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `kind` text DEFAULT 'person' NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `tokens_per_minute` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `billing_group_id` integer;
--> statement-breakpoint
CREATE TRIGGER groups_insert_revision AFTER INSERT ON groups BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (NEW.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER groups_update_revision AFTER UPDATE ON groups BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (NEW.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER groups_delete_revision AFTER DELETE ON groups BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (OLD.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_models_insert_revision AFTER INSERT ON group_models BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (NEW.group_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_models_update_revision AFTER UPDATE ON group_models BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (NEW.group_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_models_delete_revision AFTER DELETE ON group_models BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (OLD.group_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_members_insert_revision AFTER INSERT ON group_members BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_members_update_revision AFTER UPDATE ON group_members BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER group_members_delete_revision AFTER DELETE ON group_members BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (OLD.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_insert_of_user_revision AFTER INSERT ON spend_limits WHEN NEW.scope = 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.scope_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_insert_of_group_revision AFTER INSERT ON spend_limits WHEN NEW.scope <> 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (iif(NEW.scope LIKE 'group%', NEW.scope_id, -1), (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_update_of_user_revision AFTER UPDATE ON spend_limits WHEN NEW.scope = 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.scope_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_update_of_group_revision AFTER UPDATE ON spend_limits WHEN NEW.scope <> 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (iif(NEW.scope LIKE 'group%', NEW.scope_id, -1), (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_delete_of_user_revision AFTER DELETE ON spend_limits WHEN OLD.scope = 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (OLD.scope_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
CREATE TRIGGER spend_limits_delete_of_group_revision AFTER DELETE ON spend_limits WHEN OLD.scope <> 'user' BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO group_changes (group_id, revision) VALUES (iif(OLD.scope LIKE 'group%', OLD.scope_id, -1), (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (group_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
INSERT INTO groups (id, name, source, bills, priority, created_at, updated_at) VALUES (0, 'unassigned', 'direct', true, 1000000, unixepoch() * 1000, unixepoch() * 1000);
--> statement-breakpoint
INSERT INTO limit_state (id, time_zone, budgets_moved) VALUES (1, 'UTC', false);
--> statement-breakpoint
-- What was used in the current periods, and ever; earlier releases counted in UTC.
INSERT INTO limit_spent (owner, period, start, micros, tokens)
WITH periods (period, start) AS MATERIALIZED (
  SELECT 'daily', unixepoch('now', 'start of day') * 1000
  UNION ALL SELECT 'weekly', unixepoch('now', 'weekday 0', '-6 days', 'start of day') * 1000
  UNION ALL SELECT 'monthly', unixepoch('now', 'start of month') * 1000),
used AS MATERIALIZED (
  SELECT period, periods.start AS start, user_id, api_key_id, sum(cost_micros) AS micros,
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS tokens
  FROM periods CROSS JOIN usage_sums ON cut = 'key_day'
    AND user_id IN (SELECT DISTINCT user_id FROM usage_sums WHERE cut = 'total') AND usage_sums.start >= periods.start
  GROUP BY 1, 2, 3, 4
  UNION ALL
  SELECT 'total', 0, user_id, api_key_id, sum(cost_micros),
    sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)
  FROM usage_sums WHERE cut = 'total' GROUP BY user_id, api_key_id)
SELECT 'user:' || user_id, period, start, sum(micros), sum(tokens) FROM used GROUP BY 1, 2, 3
UNION ALL SELECT 'key:' || api_key_id, period, start, sum(micros), sum(tokens) FROM used GROUP BY 1, 2, 3
UNION ALL SELECT 'group:0', period, start, sum(micros), sum(tokens) FROM used GROUP BY 1, 2, 3
UNION ALL SELECT 'organisation:0', period, start, sum(micros), sum(tokens) FROM used GROUP BY 1, 2, 3;
--> statement-breakpoint
-- Older calls are not copied: reports read the older sums for the time before the next day.
UPDATE usage_summed SET spent_id = log_id, grouped_id = log_id, ungrouped_id = log_id, grouped_since =
  CASE WHEN log_id > 0 THEN (max(unixepoch() * 1000, (SELECT coalesce(max(created_at), 0) FROM usage_logs)) / 86400000 + 1) * 86400000 ELSE 0 END;
