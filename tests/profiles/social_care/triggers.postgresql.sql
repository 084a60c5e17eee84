-- What the council's database administrator wrote, on PostgreSQL: rows of the interface become rows of the case system at once.
-- After the insert, never before it: what two gateways insert at once is inserted once, but tried twice.

CREATE FUNCTION hub_answered() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN
  UPDATE own_action SET hub_action_id = NEW.ids::jsonb ->> 'action', hub_thread = NEW.thread WHERE last_row = NEW.key;
  UPDATE own_closure SET hub_closure_id = NEW.ids::jsonb ->> 'closure' WHERE last_row = NEW.key;
  RETURN NULL;
END $$;
CREATE TRIGGER hub_answered AFTER UPDATE OF state ON hub_outbox FOR EACH ROW WHEN (NEW.state = 'sent')
  EXECUTE FUNCTION hub_answered();

CREATE FUNCTION hub_arrived() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  number varchar := 'CON-' || NEW.place;
  said jsonb := NEW.fields::jsonb;
  child varchar := (SELECT pers_person_id FROM ssd_person
    WHERE pers_common_child_id = NEW.fields::jsonb #>> '{child,pers_common_child_id}');
BEGIN
  IF NEW.kind = 'contact' THEN
    INSERT INTO ssd_contacts (cont_contact_id, cont_person_id, cont_contact_date, cont_contact_source_code)
      VALUES (number, child, said ->> 'cont_contact_date', said ->> 'cont_contact_source_code');
    INSERT INTO own_contact VALUES (number, said ->> 'referral_id', said #>> '{hub,sender}', said #>> '{hub,thread}',
      said #>> '{hub,envelope}', said #>> '{child,name}', said ->> 'concern', said ->> 'immediate_danger');
    UPDATE hub_inbox SET reference = number WHERE place = NEW.place;
  ELSIF NEW.kind = 'action_answer' THEN
    UPDATE own_action SET state = said ->> 'state', state_reason = said ->> 'state_reason', evidence = said ->> 'evidence',
      answered_at = said ->> 'answered_at', hub_envelope = said #>> '{hub,envelope}'
      WHERE hub_action_id = said ->> 'hub_action_id' AND coalesce(answered_at, '') <= said ->> 'answered_at';
  ELSIF NEW.kind = 'closure_objection' THEN
    INSERT INTO own_objection (hub_objection_id, hub_closure_id, grounds, detail, proposed_step, sender)
      VALUES (said ->> 'hub_objection_id', said ->> 'hub_closure_id', said ->> 'grounds', said ->> 'detail',
        said ->> 'proposed_step', said #>> '{hub,sender}');
  ELSIF NEW.kind = 'missing_episode' THEN
    INSERT INTO ssd_missing AS known (miss_table_id, miss_person_id, miss_missing_episode_start_date,
        miss_missing_episode_type, miss_missing_episode_end_date)
      VALUES (said ->> 'hub_episode_id', child, said ->> 'miss_missing_episode_start_date',
        said ->> 'miss_missing_episode_type', said ->> 'miss_missing_episode_end_date')
      ON CONFLICT (miss_table_id) DO UPDATE SET miss_missing_episode_type = excluded.miss_missing_episode_type,
        miss_missing_episode_end_date = coalesce(excluded.miss_missing_episode_end_date, known.miss_missing_episode_end_date);
  ELSIF NEW.kind = 'interview' THEN
    UPDATE ssd_missing SET miss_missing_rhi_offered = said ->> 'miss_missing_rhi_offered',
      miss_missing_rhi_accepted = said ->> 'miss_missing_rhi_accepted' WHERE miss_table_id = said ->> 'hub_episode_id';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER hub_arrived AFTER INSERT ON hub_inbox FOR EACH ROW EXECUTE FUNCTION hub_arrived();

-- What the gateway reads back is what stands in the case system, not what it wrote into the interface.
DROP VIEW hub_record;
CREATE VIEW hub_record AS
  SELECT filed.kind, filed.reference, 0 AS ended,
    CASE WHEN filed.kind = 'contact'
      THEN (filed.fields::jsonb || jsonb_build_object('cont_contact_source_code', moved.cont_contact_source_code,
                                                      'cont_contact_date', moved.cont_contact_date))::text
      ELSE filed.fields END AS fields
  FROM hub_inbox AS filed LEFT JOIN ssd_contacts AS moved ON moved.cont_contact_id = filed.reference
  WHERE filed.kind <> 'contact' OR moved.cont_contact_id IS NOT NULL;
