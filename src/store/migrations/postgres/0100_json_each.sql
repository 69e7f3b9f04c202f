-- SQLite has json_each(text); PostgreSQL only json_each(json) with other columns. With this helper one statement text
-- can insert a whole batch: SELECT value ->> 'id', CAST(value ->> 'n' AS BIGINT) FROM json_each($1).
CREATE FUNCTION json_each(input TEXT) RETURNS TABLE (key BIGINT, value JSONB)
LANGUAGE sql IMMUTABLE STRICT ROWS 100 AS $$
    SELECT element.ordinality - 1, element.value
    FROM jsonb_array_elements(CAST(input AS JSONB)) WITH ORDINALITY AS element (value, ordinality)
$$;
