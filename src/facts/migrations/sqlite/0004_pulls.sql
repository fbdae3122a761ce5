-- Who was served an image last, and when. The identifier is that of the table "images": the beginning of a digest over
-- repository and digest.
CREATE TABLE pulls (
    image BIGINT NOT NULL,
    client TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (image, client)
);
CREATE INDEX pulls_by_time ON pulls (last_at);
