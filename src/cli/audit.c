/* homeport audit verify: every entry's number, form and hash, from the first to the head, in one snapshot.
 *
 * The chain shows any change of an entry, any gap, and entries cut off the end, since the head is kept apart.
 * It cannot show that somebody rewrote all of it with the head: for that, note the head somewhere else
 * (GET /api/v1/audit/head) and compare it with what is printed here. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/apply.h"
#include "core/json.h"

enum { ENTRY_BYTES_MAX = 64 << 20, HEX_BYTES = AUDIT_HASH_BYTES * 2 + 1, WORD_BYTES = 40 };

struct chain {
    struct audit_head head; /* the last entry that was found whole */
    struct arena arena;     /* of the entry looked at */
};

/* ---- a file that cannot be read ------------------------------------------------------------------- */

static volatile sig_atomic_t reached; /* low bits of the number of the entry looked at */

static void on_damage(int signal_number)
{
    static const char said[] =
        "audit log: the store's file is damaged and cannot be read behind entry ";
    char digits[16];
    size_t at = sizeof digits;
    unsigned number = (unsigned)reached;
    (void)signal_number;
    digits[--at] = '\n';
    do digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) _exit(1);
    if (write(STDERR_FILENO, digits + at, sizeof digits - at) < 0) _exit(1);
    _exit(1);
}

/* ---- one entry ------------------------------------------------------------------------------------ */

/* As the two are found in a store that may be changed at any place. */
static bool blame(uint64_t number, const struct audit_entry *entry, const char *what)
{
    char at[TIME_TEXT_BYTES + 1] = "", target[WORD_BYTES] = "";
    time_to_text(entry->at, at);
    cli_shown(entry->target, target, sizeof target);
    fprintf(stderr, "audit log: entry %llu (%s, %s %llu) %s\n", (unsigned long long)number, at,
            target, (unsigned long long)entry->target_id, what);
    return false;
}

static bool say_missing(uint64_t first, uint64_t last)
{
    if (first == last) {
        fprintf(stderr, "audit log: entry %llu is missing\n", (unsigned long long)first);
    } else {
        fprintf(stderr, "audit log: entries %llu to %llu are missing\n", (unsigned long long)first,
                (unsigned long long)last);
    }
    return false;
}

/* Whether the stored hash is the one that the entry and the one before it give. */
static bool has_its_hash(struct chain *chain, const struct audit_entry *entry,
                         uint8_t hash[AUDIT_HASH_BYTES])
{
    char hex[HEX_BYTES];
    if (!audit_hash(entry, chain->head.hash, hash, &chain->arena)) return false;
    sodium_bin2hex(hex, sizeof hex, hash, AUDIT_HASH_BYTES);
    return text_equal(entry->hash, text_of(hex));
}

static bool entry_check(struct chain *chain, uint64_t number, struct text stored)
{
    struct audit_entry entry = {.id = 0};
    uint8_t hash[AUDIT_HASH_BYTES];
    arena_reset(&chain->arena);
    if (number == 0) return blame(number, &entry, "has no place in the log");
    if (number != chain->head.number + 1) return say_missing(chain->head.number + 1, number - 1);
    if (record_decode(&audit_entry_type, stored, &entry) != OK) {
        fprintf(stderr, "audit log: entry %llu cannot be read\n", (unsigned long long)number);
        return false;
    }
    if (entry.id != number) return blame(number, &entry, "has the number of another");
    if (!has_its_hash(chain, &entry, hash)) return blame(number, &entry, "does not match its hash");
    /* The hash is over what is understood; nothing else may stand there. */
    struct text again = record_encode(&audit_entry_type, &entry, TEXT_NONE, &chain->arena);
    if (!text_equal(again, stored))
        return blame(number, &entry, "holds something that its hash does not cover");
    chain->head.number = number;
    memcpy(chain->head.hash, hash, sizeof hash);
    reached = (sig_atomic_t)(number & 0x7fffffff);
    return true;
}

/* ---- the whole log -------------------------------------------------------------------------------- */

static bool entries_check(struct chain *chain, struct store_txn *txn)
{
    struct store_cursor *cursor;
    struct text key, stored;
    struct key first = key_of_record(&audit_entry_type, 0);
    bool is_whole = true;
    if (store_seek(txn, key_text(&first), false, &cursor) != OK)
        return !cli_fail("the audit log cannot be read");
    while (is_whole && store_next(cursor, &key, &stored)) {
        if (key.bytes != first.count || (uint8_t)key.data[0] != first.bytes[0]) break;
        is_whole = entry_check(chain, key_last_u64(key), stored);
    }
    store_done(cursor);
    return is_whole;
}

static bool head_check(const struct chain *chain, struct store_txn *txn)
{
    struct audit_head head;
    if (audit_head_read(txn, &head) != OK) return !cli_fail("audit log: its head cannot be read");
    if (head.number > chain->head.number) return say_missing(chain->head.number + 1, head.number);
    if (head.number < chain->head.number) {
        fprintf(stderr, "audit log: entry %llu and those behind it are not known to the head\n",
                (unsigned long long)head.number + 1);
        return false;
    }
    if (memcmp(head.hash, chain->head.hash, AUDIT_HASH_BYTES) == 0) return true;
    fprintf(stderr, "audit log: entry %llu does not have the hash that the head names\n",
            (unsigned long long)head.number);
    return false;
}

static int verify(struct store *store)
{
    struct chain chain = {.head.number = 0};
    struct store_txn *txn;
    char hex[HEX_BYTES];
    if (store_snapshot(store, &txn) != OK) return cli_fail("the store cannot be read");
    arena_init(&chain.arena, ENTRY_BYTES_MAX);
    bool is_whole = entries_check(&chain, txn) && head_check(&chain, txn);
    store_release(txn);
    arena_free(&chain.arena);
    if (!is_whole) return 1;
    sodium_bin2hex(hex, sizeof hex, chain.head.hash, AUDIT_HASH_BYTES);
    printf("audit log: %llu entries, chain is whole, head %s\n",
           (unsigned long long)chain.head.number, hex);
    return 0;
}

int command_audit_verify(const struct cli *cli)
{
    struct home home;
    int exit_code = 1;
    if (cli_open(cli, &home, true)) {
        signal(SIGBUS, on_damage);
        signal(SIGSEGV, on_damage);
        signal(SIGABRT, on_damage);
        exit_code = verify(home.store);
    }
    home_close(&home);
    return exit_code;
}
