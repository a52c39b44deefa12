-- The MetaDB, first version.
--
-- The PostgreSQL file says the same in its dialect; a test holds the two together. Columns are whole numbers and text only: times are
-- microseconds since 1970 by the database's clock, digests are hexadecimal, JSON is text. Nothing is ever deleted but reader rights,
-- sessions that ended, old idempotency keys, limits, and launchers that were not seen for long.

-- Accounts of the Web Service. They are not objects and take no accession.
create table account (
    id integer primary key autoincrement,         -- the account's own number
    email text not null unique,                   -- what it signs in with, in lower case
    role text not null,                           -- member | administrator
    password_hash text not null,                  -- argon2id, in PHC form
    disabled_at integer,                          -- when it was shut; null while it can sign in
    created_at integer not null                   -- when it was made
) strict;

-- Tokens: a narrower way to sign in than a password.
create table token (
    id integer primary key autoincrement,         -- the token's own number
    account integer not null references account (id), -- whose it is
    label text,                                   -- what it is for, in the owner's words
    scopes text not null,                         -- JSON array of scopes: read, schedule, launch:HOST, admin
    secret_sha256 text not null unique,           -- digest of the secret; the secret itself is nowhere
    created_at integer not null,                  -- when it was made
    expires_at integer not null,                  -- when it stops being good
    revoked_at integer                            -- when it was revoked, if it was
) strict;

-- Sessions: people who signed in on a page. Ended ones are removed.
create table session (
    id integer primary key autoincrement,         -- the session's own number
    account integer not null references account (id), -- whose it is
    secret_sha256 text not null unique,           -- digest of the secret in the cookie; the secret itself is nowhere
    client text not null,                         -- the browser, in its own words, cut short
    address text not null,                        -- the address it signed in from
    created_at integer not null,                  -- when it began
    seen_at integer not null,                     -- when it was last used, to within some minutes
    expires_at integer not null                   -- when it ends, however much it is used
) strict;
create index session_account on session (account, id);

-- Who may launch the runs of another account: claim and record them, and read them. For one label each.
create table launch_grant (
    id integer primary key autoincrement,         -- the grant's own number
    owner integer not null references account (id), -- whose runs
    grantee integer not null references account (id), -- who may launch them
    host text not null,                           -- the label
    granted_by integer not null references account (id), -- who allowed it
    granted_at integer not null,                 -- when
    expires_at integer,                          -- when it stops being good; null: not by itself
    revoked_at integer                           -- when it was revoked, if it was
) strict;
create index launch_grant_grantee on launch_grant (grantee, owner, host);
create index launch_grant_owner on launch_grant (owner, host, grantee);

-- The registry of accessions: one sequence for objects of every kind.
create table object (
    swid integer primary key autoincrement,       -- the accession, never dealt out twice
    kind text not null,                           -- study, experiment, sample, workflow, workflow_run, processing, file, ...
    owner integer not null references account (id), -- who made it
    anchor integer,                               -- the run whose studies a processing or an output shares; null: its own
    created_at integer not null                   -- when it was made
) strict;
create index object_kind on object (kind, swid);

-- Which studies an object belongs to, inherited from what it descends from. Sharing a study shares these.
create table object_study (
    object integer not null references object (swid), -- the object
    study integer not null references object (swid),  -- a study above it
    primary key (object, study)
) strict;
create index object_study_study on object_study (study, object);

-- Studies: the root of metadata and the unit of sharing.
create table study (
    swid integer primary key references object (swid), -- its accession
    title text not null,                          -- its title
    description text not null,                    -- what it is about
    accession text,                               -- its accession at another archive
    center_name text,                             -- the centre's name
    center_project_name text,                     -- the centre's name of the project
    study_type text                               -- its type, in Niassa's words
) strict;

-- Accounts that may read a study and everything below it.
create table study_reader (
    study integer not null references study (swid),    -- the study
    account integer not null references account (id),  -- who may read it
    granted_by integer not null references account (id), -- who allowed it
    granted_at integer not null,                  -- when
    primary key (study, account)
) strict;
create index study_reader_account on study_reader (account, study);

-- Experiments within studies.
create table experiment (
    swid integer primary key references object (swid), -- its accession
    study integer not null references study (swid), -- its study
    title text not null,                          -- its title
    description text not null,                    -- what it is about
    platform_id integer                           -- the number of the sequencing platform
) strict;
create index experiment_study on experiment (study);

-- Samples of experiments, and samples made of samples.
create table sample (
    swid integer primary key references object (swid), -- its accession
    experiment integer not null references experiment (swid), -- its experiment
    parent integer references sample (swid),      -- the sample it was made of
    title text not null,                          -- its title
    description text not null,                    -- what it is
    organism_id integer                           -- the number of the organism
) strict;
create index sample_experiment on sample (experiment);
create index sample_parent on sample (parent);

-- Archives of bundles, by content. The archive itself lies on the service's disk.
create table bundle (
    sha256 text primary key,                      -- digest of the archive
    size integer not null,                        -- bytes of the archive
    manifest text not null,                       -- its workflow.yaml
    config text not null,                         -- its config/*.ini: JSON array of [name, text]
    stored_at integer not null                    -- when it was stored
) strict;

-- Who may add versions to a workflow's name: the first who installed it.
create table workflow_name (
    name text primary key,                        -- the workflow's name
    owner integer not null references account (id) -- its owner
) strict;

-- Workflows: one name and version. What a version is never changes.
create table workflow (
    swid integer primary key references object (swid), -- its accession
    name text not null references workflow_name (name), -- its name
    version text not null,                        -- its version
    description text not null,                    -- what it does
    bundle_sha256 text references bundle (sha256), -- its archive; null for runs that happen elsewhere
    state text not null,                          -- installed | development | retired | external
    unique (name, version)
) strict;

-- Workflow runs.
create table run (
    swid integer primary key references object (swid), -- its accession
    tag text not null unique,                     -- ten random characters, never dealt out again, even after a restore
    owner integer not null references account (id), -- on whose behalf everything happens
    workflow integer not null references workflow (swid), -- what is run
    host text not null,                           -- the label of the launchers that may launch it
    engine text,                                  -- the engine demanded: local | slurm | sge; null leaves it to the launcher
    options text not null,                        -- JSON: queue, project, qos
    priority integer not null,                   -- of several that wait the highest is launched first; usually 0
    status text not null,                         -- one of the eight words
    cancel_requested_at integer,                  -- desire: when a person asked to cancel, since the last retry
    cancel_requested_by text,                     -- desire: the account that asked
    note text,                                    -- what people should know now
    failure text,                                 -- why it could not be planned, when it could not
    place_key text,                               -- where its evidence lies, as one text to compare
    place text,                                   -- the same as JSON
    directory text,                               -- the run directory's absolute path
    launched_on text,                             -- the machine of the launcher that placed it
    plan_sha256 text,                             -- digest of plan.json
    claim_holder text,                            -- who holds it, or held it last
    claim_epoch integer not null,                 -- rises at each claim; 0: never claimed
    claim_until integer not null,                 -- when the claim lapses; 0: given back
    claims_without_record integer not null,       -- claims in a row that ended without a record
    offered_after integer not null,               -- not offered to launchers before this time
    steps_total integer not null,                 -- steps of the plan; 0 before it is planned
    steps_pending integer not null,               -- of these: not started
    steps_running integer not null,               -- of these: running
    steps_success integer not null,               -- of these: ended with success
    steps_failed integer not null,                -- of these: ended otherwise
    steps_skipped integer not null,               -- of these: behind one without success
    steps_cancelled integer not null,             -- of these: cancelled
    steps_lost integer not null,                  -- of these: without a known result
    needs_action integer not null,                -- 1: the holder of a claim has something to do
    rescheduled_from integer references run (swid), -- the run it was rescheduled from
    trace text,                                   -- the id of the request it was asked by, which logs have
    created_at integer not null,                  -- when it was accepted
    updated_at integer not null,                  -- when its status last changed
    seen_at integer                               -- when anything was last heard of it
) strict;

-- Launchers look for waiting runs of their account and label, the healthy ones first; propagators for those of their place and for those
-- in need; people for their own, by status, by workflow, by label and by time.
create index run_offered on run (owner, host, claims_without_record, priority desc, swid) where status in ('submitted', 'submitted_retry');
create index run_demanding on run (owner, host, swid) where status in ('submitted', 'submitted_retry') and engine is not null and note is null;
create index run_abandoned on run (owner, swid) where status = 'submitted_cancel' and place_key is null;
create index run_claimed on run (claim_until) where claim_until > 0;
create index run_in_need on run (owner, claims_without_record, swid) where needs_action = 1;
create index run_owner on run (owner, swid);
create index run_owner_host on run (owner, host, swid);
create index run_owner_status on run (owner, status, swid);
create index run_owner_place on run (owner, place_key, status, swid);
create index run_status on run (status, swid);
create index run_workflow on run (workflow, swid);
create index run_host on run (host, swid);
create index run_created on run (created_at, swid);

-- Launchers: who asked for runs of a label last, and from where. One row is written at most once a minute.
create table launcher (
    account integer not null references account (id), -- the account it signs in with
    host text not null,                           -- the label it launches for
    os_user text not null,                        -- the OS user it runs as
    machine text not null,                        -- the machine or cluster it launches on
    seen_at integer not null,                    -- when it asked last
    oldest_waiting_micros integer not null,      -- how long the oldest run had waited for it then; 0: none waited
    primary key (account, host, os_user, machine)
) strict;

-- Labels that give out no new launches, as an administrator said, and those that did not for a while.
create table host_hold (
    id integer primary key autoincrement,         -- the hold's own number
    host text not null,                           -- the label
    reason text not null,                         -- why, for people
    held_by integer not null references account (id), -- who said so
    held_at integer not null,                    -- when
    released_by integer references account (id), -- who released it; null: it is held
    released_at integer                          -- when
) strict;
create unique index host_hold_now on host_hold (host) where released_at is null;

-- How many runs of a workflow, of an account or with a label may run at a time. Without a row: as many as wait.
create table run_limit (
    kind text not null,                           -- workflow | account | host
    subject text not null,                        -- the workflow's accession, the account's number, or the label
    runs integer not null,                       -- how many
    set_by integer not null references account (id), -- who said so
    set_at integer not null,                     -- when
    primary key (kind, subject)
) strict;

-- The values of a run, apart from the row that lists read.
create table run_values (
    run integer primary key references run (swid), -- the run
    resolved text not null,                       -- JSON: values as resolved when it was scheduled
    sources text not null                         -- JSON: what was asked, as it was sent, for rescheduling
) strict;

-- What a run descends from.
create table run_parent (
    run integer not null references run (swid),   -- the run
    parent integer not null references object (swid), -- an object of any kind but workflow
    primary key (run, parent)
) strict;
create index run_parent_parent on run_parent (parent);

-- Files a run was given, for provenance.
create table run_input_file (
    run integer not null references run (swid),   -- the run
    file integer not null references object (swid), -- the file
    primary key (run, file)
) strict;
create index run_input_file_file on run_input_file (file);

-- IUS and lanes a run is linked to.
create table run_link (
    run integer not null references run (swid),   -- the run
    object integer not null references object (swid), -- the IUS or lane
    primary key (run, object)
) strict;
create index run_link_object on run_link (object);

-- Words that people give to runs, to find them by. (A label is what launchers serve, a tag is what no two runs share.)
create table run_mark (
    run integer not null references run (swid),   -- the run
    mark text not null,                           -- the word, in small letters
    given_by integer not null references account (id), -- who gave it
    given_at integer not null,                    -- when
    primary key (run, mark)
) strict;
create index run_mark_mark on run_mark (mark, run);

-- The log of all runs: every event, whether it changed the status or not.
create table run_event (
    sequence integer primary key autoincrement,   -- rises over all runs
    run integer not null references run (swid),   -- the run
    at integer not null,                          -- when it was recorded
    event text not null,                          -- an event of the status machine, or note
    from_status text,                             -- the status before
    to_status text,                               -- the status after; the same where nothing changed
    account text not null,                        -- who acted: an account, perhaps one that was allowed to
    detail text                                   -- why, and the evidence
) strict;
create index run_event_run on run_event (run, sequence);

-- Requests to try a run again.
create table retry_request (
    run integer not null references run (swid),   -- the run
    id text not null,                             -- random, drawn by who asks
    requested_at integer not null,                -- when it was asked
    requested_by text not null,                   -- the account that asked
    answered_at integer,                          -- when its attempts were recorded; null: not yet
    primary key (run, id)
) strict;
-- Few requests are ever unanswered; launchers look for those.
create index retry_unanswered on retry_request (run, id) where answered_at is null;

-- Steps of plans; each is a processing of provenance.
create table step (
    run integer not null references run (swid),   -- the run
    idx integer not null,                         -- its place in the plan, from 0
    swid integer not null unique references object (swid), -- its processing accession
    name text not null,                           -- its name in the manifest
    element integer,                              -- which element of a foreach it is
    after_steps text not null,                    -- JSON array of indexes it waits for
    threads integer not null,                     -- threads asked for
    memory_bytes integer,                         -- memory asked for
    seconds integer,                              -- time asked for
    retry text not null,                          -- JSON: the policy for further attempts
    attempt integer not null,                     -- the number of its last attempt; 0: none was ever made
    status text not null,                         -- of its last attempt, or a verdict
    reason text,                                  -- why, unless it succeeded
    primary key (run, idx)
) strict;

-- Attempts: one permission to start one step once.
create table attempt (
    run integer not null,                         -- the run
    idx integer not null,                         -- the step
    number integer not null,                      -- counted from 1 per step
    status text not null,                         -- pending, running, or how it ended
    reason text,                                  -- why, unless it succeeded
    exit_code integer,                            -- of the command, where it exited
    signal integer,                               -- that ended it, where one did
    message text,                                 -- what was said about its end, for people
    cause text not null,                          -- first | policy | retry:<id>
    threads integer not null,                     -- threads it may use
    memory_bytes integer,                         -- memory it may use
    seconds integer,                              -- time it may use
    engine_id text,                               -- the engine's id, where it differs from the key
    machine text,                                 -- where it ran
    started_at integer,                           -- when it started, by its machine's clock
    ended_at integer,                             -- when it ended, by its machine's clock
    cpu_micros integer,                           -- processor time used
    peak_memory_bytes integer,                    -- peak memory of its largest process
    primary key (run, idx, number),
    foreign key (run, idx) references step (run, idx)
) strict;

-- The ends of streams that hold anything.
create table attempt_log (
    run integer not null,                         -- the run
    idx integer not null,                         -- the step
    number integer not null,                      -- the attempt
    stream text not null,                         -- stdout | stderr
    path text not null,                           -- the whole file, on the machine of the attempt
    size integer not null,                        -- its bytes
    tail text not null,                           -- its last 64 KiB at most
    primary key (run, idx, number, stream),
    foreign key (run, idx, number) references attempt (run, idx, number)
) strict;

-- Files of provenance.
create table file (
    swid integer primary key references object (swid), -- its accession
    path text not null,                           -- where it lies
    meta_type text not null,                      -- its type
    size integer,                                 -- its bytes, where known
    sha256 text,                                  -- where known
    md5 text,                                     -- where known
    processing integer references step (swid)     -- the step that made it, where one of ours did
) strict;
create index file_processing on file (processing);
create index file_path on file (path);

-- What a file that was recorded by hand descends from.
create table file_parent (
    file integer not null references file (swid), -- the file
    parent integer not null references object (swid), -- what it descends from
    primary key (file, parent)
) strict;
create index file_parent_parent on file_parent (parent);

-- Answers to requests that create, so that asking twice creates once.
create table idempotency (
    account integer not null references account (id), -- who asked
    key text not null,                            -- the Idempotency-Key
    request_sha256 text not null,                 -- digest of what was asked
    answer text not null,                         -- JSON: what was answered
    created_at integer not null,                  -- when; kept for a day
    primary key (account, key)
) strict;
create index idempotency_created on idempotency (created_at);

-- The audit log: who did what to what, when, and from where. Rows are only added; each holds the digest of the one before.
create table audit (
    sequence integer primary key autoincrement,   -- rises; numbers may be left out
    at integer not null,                         -- when
    account text not null,                        -- who: an address
    action text not null,                         -- what was done, as a word
    subject text not null,                        -- to what
    detail text,                                  -- more about it
    origin text,                                  -- the address the request came from; null: this machine's own hands
    previous text not null,                       -- the digest of the row before; empty for the first
    sha256 text not null                          -- the digest of this row
) strict;

-- Backups that were made of this MetaDB; what it was restored from is one of them.
create table backup (
    id integer primary key autoincrement,         -- the backup's own number
    taken_at integer not null,                   -- the time of what it holds
    written_to text not null,                     -- where it was written, as its maker named it
    manifest_sha256 text not null                 -- digest of its manifest
) strict;

-- What tells this MetaDB from every other one: launchers leave it in their work directories. A restored backup keeps it.
create table deployment (
    id text primary key                           -- drawn when the MetaDB was made
) strict;

-- The database's own time, under one name on both databases.
create view clock as select cast(unixepoch('subsec') * 1000000 as integer) as now;

-- The one row of its table.
insert into deployment (id) values (lower(hex(randomblob(16))));

-- Nobody changes the audit log.
create trigger audit_stays before update on audit begin select raise(abort, 'the audit log is only added to'); end;
create trigger audit_keeps before delete on audit begin select raise(abort, 'the audit log is only added to'); end;
