/* Applying what a step has staged: records, their indexes and counts, and the audit log, all in the turn's
 * one transaction. Private to the core. */
#ifndef HOMEPORT_CORE_APPLY_H
#define HOMEPORT_CORE_APPLY_H

#include "core/reader.h"
#include "core/step.h"

enum { AUDIT_HASH_BYTES = 32 };

/* The audit log's newest entry. */
struct audit_head {
    uint64_t number; /* 0: the log is empty */
    uint8_t hash[AUDIT_HASH_BYTES];
};

/* ERR_TAKEN when a staged record would stand twice in a UNIQUE index; nothing has been changed then. */
enum err apply_check(const struct step *step);
/* Writes everything staged, oldest first. Any error means that the transaction must be aborted. */
enum err apply_staged(struct step *step, struct audit_head *head);

/* The hash of an entry: BLAKE2b-256 over the hash before it and the entry's stored form with an empty hash. */
bool audit_hash(const struct audit_entry *entry, const uint8_t before[AUDIT_HASH_BYTES],
                uint8_t hash[AUDIT_HASH_BYTES], struct arena *arena);
enum err audit_head_read(struct store_txn *txn, struct audit_head *head);
enum err audit_head_write(struct store_txn *txn, const struct audit_head *head);

#endif
