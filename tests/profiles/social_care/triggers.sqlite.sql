-- What the council's database administrator wrote, on SQLite: rows of the interface become rows of the case system at once.

CREATE TRIGGER hub_answered AFTER UPDATE OF state ON hub_outbox WHEN NEW.state = 'sent' BEGIN
  UPDATE own_action SET hub_action_id = json_extract(NEW.ids, '$.action'), hub_thread = NEW.thread
    WHERE last_row = NEW.key;
  UPDATE own_closure SET hub_closure_id = json_extract(NEW.ids, '$.closure') WHERE last_row = NEW.key;
END;

CREATE TRIGGER hub_contact AFTER INSERT ON hub_inbox WHEN NEW.kind = 'contact' BEGIN
  INSERT INTO ssd_contacts (cont_contact_id, cont_person_id, cont_contact_date, cont_contact_source_code)
    VALUES ('CON-' || NEW.place,
      (SELECT pers_person_id FROM ssd_person WHERE pers_common_child_id = json_extract(NEW.fields, '$.child.pers_common_child_id')),
      json_extract(NEW.fields, '$.cont_contact_date'), json_extract(NEW.fields, '$.cont_contact_source_code'));
  INSERT INTO own_contact VALUES ('CON-' || NEW.place, json_extract(NEW.fields, '$.referral_id'),
    json_extract(NEW.fields, '$.hub.sender'), json_extract(NEW.fields, '$.hub.thread'),
    json_extract(NEW.fields, '$.hub.envelope'), json_extract(NEW.fields, '$.child.name'),
    json_extract(NEW.fields, '$.concern'), json_extract(NEW.fields, '$.immediate_danger'));
  UPDATE hub_inbox SET reference = 'CON-' || NEW.place WHERE place = NEW.place;
END;

CREATE TRIGGER hub_action_answer AFTER INSERT ON hub_inbox WHEN NEW.kind = 'action_answer' BEGIN
  UPDATE own_action SET state = json_extract(NEW.fields, '$.state'),
    state_reason = json_extract(NEW.fields, '$.state_reason'), evidence = json_extract(NEW.fields, '$.evidence'),
    answered_at = json_extract(NEW.fields, '$.answered_at'), hub_envelope = json_extract(NEW.fields, '$.hub.envelope')
    WHERE hub_action_id = json_extract(NEW.fields, '$.hub_action_id')
      AND coalesce(answered_at, '') <= json_extract(NEW.fields, '$.answered_at');
END;

CREATE TRIGGER hub_objection AFTER INSERT ON hub_inbox WHEN NEW.kind = 'closure_objection' BEGIN
  INSERT INTO own_objection (hub_objection_id, hub_closure_id, grounds, detail, proposed_step, sender)
    VALUES (json_extract(NEW.fields, '$.hub_objection_id'), json_extract(NEW.fields, '$.hub_closure_id'),
      json_extract(NEW.fields, '$.grounds'), json_extract(NEW.fields, '$.detail'),
      json_extract(NEW.fields, '$.proposed_step'), json_extract(NEW.fields, '$.hub.sender'));
END;

CREATE TRIGGER hub_missing AFTER INSERT ON hub_inbox WHEN NEW.kind = 'missing_episode' BEGIN
  INSERT INTO ssd_missing (miss_table_id, miss_person_id, miss_missing_episode_start_date, miss_missing_episode_type,
      miss_missing_episode_end_date)
    VALUES (json_extract(NEW.fields, '$.hub_episode_id'),
      (SELECT pers_person_id FROM ssd_person WHERE pers_common_child_id = json_extract(NEW.fields, '$.child.pers_common_child_id')),
      json_extract(NEW.fields, '$.miss_missing_episode_start_date'),
      json_extract(NEW.fields, '$.miss_missing_episode_type'), json_extract(NEW.fields, '$.miss_missing_episode_end_date'))
    ON CONFLICT (miss_table_id) DO UPDATE SET miss_missing_episode_type = excluded.miss_missing_episode_type,
      miss_missing_episode_end_date = coalesce(excluded.miss_missing_episode_end_date, miss_missing_episode_end_date);
END;

CREATE TRIGGER hub_interview AFTER INSERT ON hub_inbox WHEN NEW.kind = 'interview' BEGIN
  UPDATE ssd_missing SET miss_missing_rhi_offered = json_extract(NEW.fields, '$.miss_missing_rhi_offered'),
    miss_missing_rhi_accepted = json_extract(NEW.fields, '$.miss_missing_rhi_accepted')
    WHERE miss_table_id = json_extract(NEW.fields, '$.hub_episode_id');
END;

-- What the gateway reads back is what stands in the case system, not what it wrote into the interface.
DROP VIEW hub_record;
CREATE VIEW hub_record AS
  SELECT filed.kind, filed.reference, 0 AS ended,
    CASE WHEN filed.kind = 'contact'
      THEN json_set(filed.fields, '$.cont_contact_source_code', moved.cont_contact_source_code,
                    '$.cont_contact_date', moved.cont_contact_date)
      ELSE filed.fields END AS fields
  FROM hub_inbox AS filed LEFT JOIN ssd_contacts AS moved ON moved.cont_contact_id = filed.reference
  WHERE filed.kind <> 'contact' OR moved.cont_contact_id IS NOT NULL;
