-- Which digest was last admitted for each tag whose rule keeps it while a newer one is unproven.
CREATE TABLE admissions (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    admitted_at BIGINT NOT NULL,
    PRIMARY KEY (upstream, repository, tag)
);
