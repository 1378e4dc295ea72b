-- Triggers write down whose keys changed, so that a process reads those alone.
CREATE TABLE `user_changes` (
	`user_id` integer PRIMARY KEY NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `user_changes_revision` ON `user_changes` (`revision`);
--> statement-breakpoint
DROP TRIGGER users_insert_revision;
--> statement-breakpoint
CREATE TRIGGER users_insert_revision AFTER INSERT ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER users_update_revision;
--> statement-breakpoint
CREATE TRIGGER users_update_revision AFTER UPDATE ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER users_delete_revision;
--> statement-breakpoint
CREATE TRIGGER users_delete_revision AFTER DELETE ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (OLD.id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER api_keys_insert_revision;
--> statement-breakpoint
CREATE TRIGGER api_keys_insert_revision AFTER INSERT ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER api_keys_update_revision;
--> statement-breakpoint
CREATE TRIGGER api_keys_update_revision AFTER UPDATE ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER api_keys_delete_revision;
--> statement-breakpoint
CREATE TRIGGER api_keys_delete_revision AFTER DELETE ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (OLD.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER grants_insert_revision;
--> statement-breakpoint
CREATE TRIGGER grants_insert_revision AFTER INSERT ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER grants_update_revision;
--> statement-breakpoint
CREATE TRIGGER grants_update_revision AFTER UPDATE ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (NEW.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
--> statement-breakpoint
DROP TRIGGER grants_delete_revision;
--> statement-breakpoint
CREATE TRIGGER grants_delete_revision AFTER DELETE ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; INSERT INTO user_changes (user_id, revision) VALUES (OLD.user_id, (SELECT revision FROM directory WHERE id = 1)) ON CONFLICT (user_id) DO UPDATE SET revision = excluded.revision; END;
