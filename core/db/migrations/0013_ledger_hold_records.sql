ALTER TABLE `ledger_holds` ADD `record` text;--> statement-breakpoint
DROP TRIGGER usage_logs_free_hold;
--> statement-breakpoint
CREATE TRIGGER usage_logs_free_hold AFTER INSERT ON usage_logs BEGIN UPDATE ledger_holds SET tokens = 0, cost_micros = 0, running = 0, record = NULL, ends_at = minute_ends_at WHERE id = new.request_id; END;
