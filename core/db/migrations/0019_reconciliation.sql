CREATE TABLE `reconciled_days` (
	`account` text NOT NULL,
	`day` integer NOT NULL,
	`asked_at` integer NOT NULL,
	`compared_at` integer,
	`problem` text DEFAULT '' NOT NULL,
	`key_known` integer DEFAULT false NOT NULL,
	PRIMARY KEY(`account`, `day`)
);
--> statement-breakpoint
CREATE TABLE `reconciled_use` (
	`account` text NOT NULL,
	`day` integer NOT NULL,
	`model` text NOT NULL,
	`measure` text NOT NULL,
	`ours` integer NOT NULL,
	`estimated` integer NOT NULL,
	`theirs` integer NOT NULL,
	`outside` integer NOT NULL,
	PRIMARY KEY(`account`, `day`, `model`, `measure`)
);
