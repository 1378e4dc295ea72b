-- WITHOUT ROWID: the primary key is the table.
CREATE TABLE `prompt_losses` (
	`hour` integer NOT NULL,
	`user_id` integer NOT NULL,
	`model` text NOT NULL,
	`kind` text NOT NULL,
	`reason` text NOT NULL,
	`calls` integer NOT NULL,
	`blocks` integer NOT NULL,
	`tokens` integer NOT NULL,
	PRIMARY KEY(`hour`, `user_id`, `model`, `kind`, `reason`)
) WITHOUT ROWID;
