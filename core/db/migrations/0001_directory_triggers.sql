-- Any change that decides who may call raises the revision, whoever makes it: this process, another, or the command line.
INSERT INTO directory (id, revision) VALUES (1, 1);
--> statement-breakpoint
CREATE TRIGGER users_insert_revision AFTER INSERT ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER users_update_revision AFTER UPDATE ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER users_delete_revision AFTER DELETE ON users BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER api_keys_insert_revision AFTER INSERT ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER api_keys_update_revision AFTER UPDATE ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER api_keys_delete_revision AFTER DELETE ON api_keys BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER grants_insert_revision AFTER INSERT ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER grants_update_revision AFTER UPDATE ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER grants_delete_revision AFTER DELETE ON grants BEGIN UPDATE directory SET revision = revision + 1 WHERE id = 1; END;
