-- A council's case-management database, as far as the hub touches it.
--
-- ssd_ tables have names and columns of the public standard safeguarding dataset (data-to-insight/ssd-data-model), only
-- those that are used here; types are of the common subset of SQLite and PostgreSQL, days and moments as text in ISO 8601.
-- own_ tables are ours: the dataset is pseudonymous and knows no strategy discussions, actions or objections.

CREATE TABLE ssd_person (
  pers_person_id VARCHAR(48) PRIMARY KEY, pers_sex VARCHAR(20), pers_gender VARCHAR(10), pers_ethnicity VARCHAR(48),
  pers_dob VARCHAR(19), pers_expected_dob VARCHAR(19), pers_common_child_id VARCHAR(48), pers_legacy_id VARCHAR(48));

CREATE TABLE own_person (
  person_id VARCHAR(48) PRIMARY KEY REFERENCES ssd_person (pers_person_id), name VARCHAR(200) NOT NULL, address VARCHAR(500),
  address_restricted CHAR(1) NOT NULL DEFAULT 'N', nhs_number_traced CHAR(1) NOT NULL DEFAULT 'N',
  home_la VARCHAR(48) NOT NULL, legal_status VARCHAR(48));

CREATE TABLE ssd_professionals (
  prof_professional_id VARCHAR(48) PRIMARY KEY, prof_staff_id VARCHAR(48), prof_professional_name VARCHAR(300),
  prof_social_worker_registration_no VARCHAR(48), prof_professional_job_title VARCHAR(500));

CREATE TABLE ssd_involvements (
  invo_involvements_id VARCHAR(48) PRIMARY KEY, invo_professional_id VARCHAR(48), invo_person_id VARCHAR(48),
  invo_professional_team VARCHAR(48), invo_involvement_start_date VARCHAR(19), invo_involvement_end_date VARCHAR(19),
  invo_worker_change_reason VARCHAR(200), invo_referral_id VARCHAR(48));

CREATE TABLE ssd_contacts (
  cont_contact_id VARCHAR(250) PRIMARY KEY, cont_person_id VARCHAR(48), cont_contact_date VARCHAR(24),
  cont_contact_source_code VARCHAR(48), cont_contact_outcome_json VARCHAR(4000));

CREATE TABLE ssd_cin_episodes (
  cine_referral_id VARCHAR(48) PRIMARY KEY, cine_person_id VARCHAR(48), cine_referral_date VARCHAR(24),
  cine_referral_source_code VARCHAR(48), cine_referral_outcome_json VARCHAR(4000), cine_referral_nfa CHAR(1),
  cine_close_reason VARCHAR(100), cine_close_date VARCHAR(19), cine_referral_team VARCHAR(48),
  cine_referral_worker_id VARCHAR(100));

-- Where a contact came by the hub: what an answer to it needs.
CREATE TABLE own_contact (
  contact_id VARCHAR(250) PRIMARY KEY, referral_id VARCHAR(22) NOT NULL, referrer VARCHAR(81) NOT NULL,
  hub_thread VARCHAR(22) NOT NULL, hub_envelope VARCHAR(22) NOT NULL, child_name VARCHAR(200) NOT NULL,
  concern TEXT NOT NULL, immediate_danger CHAR(1) NOT NULL);

CREATE TABLE ssd_s47_enquiry (
  s47e_s47_enquiry_id VARCHAR(48) PRIMARY KEY, s47e_referral_id VARCHAR(48), s47e_person_id VARCHAR(48),
  s47e_s47_start_date VARCHAR(19), s47e_s47_end_date VARCHAR(19), s47e_s47_nfa CHAR(1), s47e_s47_outcome_json VARCHAR(1000));

CREATE TABLE ssd_initial_cp_conference (
  icpc_icpc_id VARCHAR(48) PRIMARY KEY, icpc_s47_enquiry_id VARCHAR(48), icpc_person_id VARCHAR(48),
  icpc_icpc_transfer_in CHAR(1), icpc_icpc_target_date VARCHAR(19), icpc_icpc_date VARCHAR(19),
  icpc_icpc_outcome_cp_flag CHAR(1), icpc_icpc_outcome_json VARCHAR(1000));

CREATE TABLE ssd_cp_plans (
  cppl_cp_plan_id VARCHAR(48) PRIMARY KEY, cppl_icpc_id VARCHAR(48), cppl_person_id VARCHAR(48),
  cppl_cp_plan_start_date VARCHAR(19), cppl_cp_plan_end_date VARCHAR(19), cppl_cp_plan_initial_category VARCHAR(100),
  cppl_cp_plan_latest_category VARCHAR(100));

CREATE TABLE ssd_missing (
  miss_table_id VARCHAR(48) PRIMARY KEY, miss_person_id VARCHAR(48), miss_missing_episode_start_date VARCHAR(24),
  miss_missing_episode_type VARCHAR(100), miss_missing_episode_end_date VARCHAR(24), miss_missing_rhi_offered CHAR(1),
  miss_missing_rhi_accepted CHAR(1));

-- A strategy discussion or another meeting; `last_row` is its newest row of the outbox, which the next one follows.
CREATE TABLE own_discussion (
  discussion_id VARCHAR(20) PRIMARY KEY, person_id VARCHAR(48) NOT NULL, s47_enquiry_id VARCHAR(48), icpc_id VARCHAR(48),
  kind VARCHAR(30) NOT NULL, convened_at VARCHAR(24) NOT NULL, starts_at VARCHAR(24) NOT NULL, held_at VARCHAR(24),
  version INTEGER NOT NULL DEFAULT 0, last_row VARCHAR(120));

CREATE TABLE own_action (
  action_id VARCHAR(20) PRIMARY KEY, discussion_id VARCHAR(20) NOT NULL, person_id VARCHAR(48) NOT NULL,
  description TEXT NOT NULL, owner VARCHAR(81) NOT NULL, due_at VARCHAR(24) NOT NULL,
  state VARCHAR(20) NOT NULL DEFAULT 'assigned', state_reason VARCHAR(64), evidence TEXT, answered_at VARCHAR(24),
  last_row VARCHAR(120), hub_action_id VARCHAR(22), hub_thread VARCHAR(22), hub_envelope VARCHAR(22));

CREATE TABLE own_closure (
  closure_id VARCHAR(20) PRIMARY KEY, person_id VARCHAR(48) NOT NULL, referral_id VARCHAR(48) NOT NULL,
  sub_reason VARCHAR(40) NOT NULL, risk_band VARCHAR(20), window_ends VARCHAR(24) NOT NULL, decision VARCHAR(20),
  last_row VARCHAR(120), hub_closure_id VARCHAR(22));

CREATE TABLE own_objection (
  hub_objection_id VARCHAR(22) PRIMARY KEY, hub_closure_id VARCHAR(22) NOT NULL, grounds VARCHAR(40) NOT NULL,
  detail TEXT NOT NULL, proposed_step TEXT NOT NULL, sender VARCHAR(81) NOT NULL, answer TEXT, upheld CHAR(1));
