-- Questions of a labelled set (`zhitong model eval`): they cost like any other and are counted apart.
ALTER TABLE model_exchanges ADD COLUMN evaluation BOOLEAN NOT NULL DEFAULT FALSE;
-- A process that died over a call left its row running: found without reading what is done.
CREATE INDEX model_exchanges_running ON model_exchanges (at) WHERE outcome = 'running';
