CREATE TABLE `database_identity` (
	`id` integer PRIMARY KEY NOT NULL,
	`identity` text NOT NULL
);
--> statement-breakpoint
INSERT INTO database_identity (id, identity) VALUES (1, lower(hex(randomblob(8))));
