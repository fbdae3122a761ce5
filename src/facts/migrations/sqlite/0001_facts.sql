-- What was proved, of which digest in which repository, under which trust.
CREATE TABLE proofs (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    epoch TEXT NOT NULL,
    proof TEXT NOT NULL,
    PRIMARY KEY (upstream, repository, digest, epoch)
);
CREATE INDEX proofs_by_epoch ON proofs (epoch);

-- Which digest is reached from which admitted root.
CREATE TABLE grants (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    root TEXT NOT NULL,
    kind TEXT NOT NULL,
    size BIGINT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (upstream, repository, digest, root, kind)
);

-- What each tag meant when it was last asked for.
CREATE TABLE resolutions (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    resolved_at BIGINT NOT NULL,
    PRIMARY KEY (upstream, repository, tag)
);

-- Every tag that each digest was ever seen under.
CREATE TABLE tags (
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    tag TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (upstream, repository, digest, tag)
);
