-- Lists go by the clock that runs out next, whichever it is: cases that run already are put right.
UPDATE cases SET
    due_at = (SELECT MIN(k.due_at) FROM clocks k WHERE k.case_id = cases.id AND k.state = 'running' AND k.key <> 'K5a'),
    due_clock = COALESCE(
        (SELECT k.key FROM clocks k WHERE k.case_id = cases.id AND k.state = 'running' AND k.key <> 'K5a'
            ORDER BY CASE WHEN k.due_at IS NULL THEN 1 ELSE 0 END, k.due_at, k.key LIMIT 1),
        due_clock)
    WHERE open;
UPDATE cases SET sort_due = due_at WHERE open AND due_at IS NOT NULL;
UPDATE case_units SET sort_due = (SELECT c.sort_due FROM cases c WHERE c.id = case_units.case_id)
    WHERE EXISTS (SELECT 1 FROM cases c WHERE c.id = case_units.case_id AND c.open);
