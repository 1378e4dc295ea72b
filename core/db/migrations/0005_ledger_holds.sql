-- WITHOUT ROWID: the primary key is the table, so that a hold is written and found in one step.
CREATE TABLE `ledger_holds` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`api_key_id` integer NOT NULL,
	`tokens` integer NOT NULL,
	`cost_micros` integer NOT NULL,
	`running` integer NOT NULL,
	`minute_ends_at` integer NOT NULL,
	`ends_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `ledger_holds_user` ON `ledger_holds` (`user_id`,`minute_ends_at`);
--> statement-breakpoint
-- Whoever writes a call's row, its process or one that replays its journal, frees its hold with it.
CREATE TRIGGER usage_logs_free_hold AFTER INSERT ON usage_logs BEGIN UPDATE ledger_holds SET tokens = 0, cost_micros = 0, running = 0, ends_at = minute_ends_at WHERE id = new.request_id; END;
