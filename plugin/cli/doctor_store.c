/*
 * The database: can it be reached, is it safe to hand it submissions, does it have all that
 * the installed Relais needs, and may the forwarder's login do what it must and no more.
 */
#include "cli/doctor.h"

#include "cli/speak.h"
#include "store/health.h"
#include "store/plan.h"

#include <math.h>

/* Relais is tested with Debian 12's PostgreSQL. */
#define POSTGRESQL_OLDEST 140000

/* Two clocks kept by NTP differ by less; the ledger compares times of both machines. */
#define SKEW_MAX 5.0

static void check_server(relais_doctor *doctor, const relais_store_health *health)
{
    relais_doctor_say(doctor,
                      health->version < POSTGRESQL_OLDEST ? RELAIS_FINDING_WARN : RELAIS_FINDING_OK,
                      _("PostgreSQL %d answers."), health->version / 10000);
    if (health->is_read_only) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("the server takes no writes: a standby, or read-only."));
        relais_doctor_advise(doctor, _("let conninfo name the primary: target_session_attrs="
                                       "read-write"));
    }
    if (!health->is_durable) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("fsync or synchronous_commit is off: what the forwarder removes from "
                            "the spool may not be in the database yet."));
        relais_doctor_advise(doctor, "ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET "
                                     "synchronous_commit = on; SELECT pg_reload_conf();");
    }
    if (!health->is_discreet) {
        relais_doctor_say(
            doctor, RELAIS_FINDING_WARN,
            _("the server's log quotes refused rows and statements that failed: names "
              "and card codes are in it."));
        relais_doctor_advise(doctor, "psql -d DATABASE -f %s/logging.sql",
                             doctor->config->mappings_directory);
    }
    if (!health->is_local && !health->is_encrypted) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("submissions go to the database unencrypted over the network."));
        relais_doctor_advise(doctor, "pg_service.conf: sslmode=verify-full sslrootcert=FILE");
    }
}

static void check_clock(relais_doctor *doctor, double skew)
{
    if (fabs(skew) <= SKEW_MAX) {
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("its clock and this machine's agree within %.0f s."), SKEW_MAX);
        return;
    }
    relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                      _("its clock is %.0f s from this machine's: times in the ledger will not "
                        "compare."),
                      skew);
    relais_doctor_advise(doctor, "timedatectl set-ntp true");
}

static void check_rights(relais_doctor *doctor, const relais_store_health *health)
{
    if (!health->may_write) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("this login may not write the ledger."));
        relais_doctor_advise(doctor, "GRANT relais_forwarder TO LOGIN;");
    }
    if (health->may_read_identity) {
        relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                          _("this login may read identities, which the forwarder need not."));
        relais_doctor_advise(doctor, _("let it be a member of relais_forwarder only"));
    }
    if (health->may_write && !health->may_read_identity)
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("this login may write what it must, and read no identity."));
}

static size_t count_pending(const relais_plan *plan)
{
    size_t pending = 0;

    for (size_t i = 0; i < plan->migration_count; i++)
        pending += plan->migrations[i].state == RELAIS_MIGRATION_PENDING;
    for (size_t i = 0; i < plan->reference_count; i++)
        pending += plan->references[i].differing > 0;
    return pending;
}

static void check_schema(relais_doctor *doctor, relais_store *store)
{
    relais_plan plan = {0};
    relais_error err = {0};

    if (!relais_plan_read(doctor->config->mappings_directory, doctor->arena, &plan, &err) ||
        !relais_plan_compare(&plan, store, doctor->arena, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_NOTE, &err);
    } else if (!relais_plan_check(&plan, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_FAULT, &err);
    } else if (relais_plan_is_empty(&plan)) {
        relais_doctor_say(doctor, RELAIS_FINDING_OK, _("the schema and its lists are up to date."));
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("%zu files of schema/ and codes/ are not applied."),
                          count_pending(&plan));
        relais_doctor_advise(doctor, "relais --config /etc/relais/admin.conf plan > plan.sql; psql "
                                     "service=relais-admin -f plan.sql");
    }
}

void relais_doctor_store(relais_doctor *doctor)
{
    relais_store *store = NULL;
    relais_store_health health;
    relais_error err = {0};

    if (!relais_store_open(doctor->config->store_conninfo, &store, &err) ||
        !relais_store_health_read(store, &health, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_FAULT, &err);
        relais_store_close(store);
        return;
    }
    check_server(doctor, &health);
    check_clock(doctor, health.skew);
    if (health.has_ledger)
        check_rights(doctor, &health);
    check_schema(doctor, store);
    relais_store_close(store);
}
