-- The earlier case of the same matter, as `detail` has it: repeats of a matter are counted along it.
ALTER TABLE cases ADD COLUMN repeat_of TEXT;
CREATE INDEX cases_repeat_of ON cases (repeat_of) WHERE repeat_of IS NOT NULL;
