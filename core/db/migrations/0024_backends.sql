CREATE TABLE `backend_revision` (
	`id` integer PRIMARY KEY NOT NULL,
	`revision` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `backends` (
	`name` text PRIMARY KEY NOT NULL,
	`settings` text NOT NULL,
	`secrets` text NOT NULL,
	`updated_at` integer NOT NULL,
	`updated_by` integer
);
--> statement-breakpoint
INSERT INTO backend_revision (id, revision) VALUES (1, 0);
--> statement-breakpoint
CREATE TRIGGER backends_insert_revision AFTER INSERT ON backends BEGIN UPDATE backend_revision SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER backends_update_revision AFTER UPDATE ON backends BEGIN UPDATE backend_revision SET revision = revision + 1 WHERE id = 1; END;
--> statement-breakpoint
CREATE TRIGGER backends_delete_revision AFTER DELETE ON backends BEGIN UPDATE backend_revision SET revision = revision + 1 WHERE id = 1; END;
