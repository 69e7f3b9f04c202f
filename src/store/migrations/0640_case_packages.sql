-- What was archived of a case, as one text whose hash stands in the event of the archiving. A case that was taken up
-- again and archived again has several; none is ever changed.
CREATE TABLE case_packages (
    case_id TEXT NOT NULL REFERENCES cases (id),
    -- The event of the archiving.
    seq BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, seq)
);
