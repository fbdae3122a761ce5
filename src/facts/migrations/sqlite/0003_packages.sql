-- The images whose packages are known. The identifier is the beginning of a digest over the other three.
CREATE TABLE images (
    id BIGINT NOT NULL,
    upstream TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    proven_at BIGINT NOT NULL,
    admitted_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);

-- Which packages are in which image: by the name that they are compared by, with the URL that the bill of materials has.
CREATE TABLE packages (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    image BIGINT NOT NULL,
    purl TEXT NOT NULL,
    PRIMARY KEY (name, version, image, purl)
);
CREATE INDEX packages_by_image ON packages (image);
