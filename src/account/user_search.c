/* Walks the UNIQUE indexes by prefix: first that of the names that such a text can begin, then that of the mail
 * addresses, leaving out whom the first has shown:
 *
 *     q has an @         mail addresses           (a user name or phone number has none)
 *     q begins with +    phone numbers, then mail addresses
 *     else               user names, then mail addresses
 *
 * A cursor is the id of the account looked at last, with a bit for the second walk: where it stands in the index
 * its own name tells. So a page costs the same wherever it is, and accounts that come or go move nobody else.
 * A million accounts whose addresses begin like their names would be left out one by one in the second walk:
 * a page therefore ends after LOOKS_MAX of them, with what it has and a cursor. For the same reason `total`
 * is counted as far as LOOKS_MAX. */
#include "account/user_search.h"

enum { LOOKS_MAX = 1000 };
static const uint64_t by_mail_bit = (uint64_t)1 << 63; /* no id has it */

struct search {
    const struct reader *reader;
    struct text q;
    const struct record_index *by_name; /* the first walk; NULL: there is none */
    unsigned looks;
};

struct place {
    bool is_by_mail;
    uint64_t id;
    struct text text; /* empty: at the beginning of the walk */
};

static bool begins(struct text t, struct text q)
{
    return t.bytes >= q.bytes && text_equal_fold((struct text){t.data, q.bytes}, q);
}

static struct text name_of(const struct search *search, const struct user *user)
{
    return search->by_name == &user_by_phone ? user->phone_number : user->username;
}

static struct search search_of(const struct reader *reader, struct text q)
{
    const struct record_index *by_name = q.data[0] == '+' ? &user_by_phone : &user_by_username;
    bool is_mail = memchr(q.data, '@', q.bytes) != NULL;
    return (struct search){.reader = reader, .q = q, .by_name = is_mail ? NULL : by_name};
}

/* ERR_BAD_CURSOR: the account is not one that this search finds, or not any more. */
static enum err place_read(const struct search *search, uint64_t after, struct place *place)
{
    struct user user;
    *place = (struct place){.is_by_mail = search->by_name == NULL};
    if (after == 0) return OK;
    *place = (struct place){.is_by_mail = (after & by_mail_bit) != 0, .id = after & ~by_mail_bit};
    if (!place->is_by_mail && search->by_name == NULL) return ERR_BAD_CURSOR;
    enum err e = user_get(search->reader, place->id, &user);
    if (e != OK) return e == ERR_NOT_FOUND ? ERR_BAD_CURSOR : e;
    place->text = place->is_by_mail ? user.email : name_of(search, &user);
    return begins(place->text, search->q) ? OK : ERR_BAD_CURSOR;
}

/* One walk, from the place on, which goes along with it. Every account that counts is given to `take`, which ends
 * the walk by false. *is_cut: it ended before it was through. */
static enum err walk_on(struct search *search, struct place *place, bool *is_cut,
                        bool (*take)(void *context, const struct user *user), void *context)
{
    struct walk walk;
    struct user user;
    uint64_t id;
    enum err e = OK;
    const struct record_index *index = place->is_by_mail ? &user_by_email : search->by_name;
    walk_begin_texts(&walk, search->reader, index, search->q, place->text);
    while (e == OK && !*is_cut && walk_next(&walk, &id)) {
        *is_cut = search->looks == LOOKS_MAX;
        if (*is_cut) break;
        search->looks++;
        e = user_get(search->reader, id, &user);
        bool is_shown = place->is_by_mail && search->by_name != NULL &&
                        begins(name_of(search, &user), search->q);
        *is_cut = e == OK && !is_shown && !take(context, &user);
        if (!*is_cut) place->id = id;
    }
    walk_end(&walk);
    return e;
}

static enum err walk_both(struct search *search, struct place *place, bool *is_cut,
                          bool (*take)(void *context, const struct user *user), void *context)
{
    *is_cut = false;
    enum err e = walk_on(search, place, is_cut, take, context);
    if (e != OK || *is_cut || place->is_by_mail) return e;
    struct place by_mail = {.is_by_mail = true};
    e = walk_on(search, &by_mail, is_cut, take, context);
    if (by_mail.id != 0) *place = by_mail;
    return e;
}

struct counted {
    uint64_t count;
};

static bool count_one(void *context, const struct user *user)
{
    (void)user;
    ((struct counted *)context)->count++;
    return true;
}

struct page_made {
    struct reply *reply;
    unsigned count, limit;
};

static bool show_one(void *context, const struct user *user)
{
    struct page_made *made = context;
    if (made->count == made->limit) return false;
    reply_item(made->reply, &user_type, user);
    made->count++;
    return true;
}

enum err user_search(struct view *view, const struct call *call, struct reply *reply, struct text q)
{
    struct search counting = search_of(&view->read, q), showing = counting;
    struct place from, start;
    struct counted counted = {.count = 0};
    struct page_made made = {.reply = reply, .limit = call->page.limit};
    bool is_more_than_counted, has_more;
    enum err e = place_read(&showing, call->page.after, &from);
    if (e == OK) e = place_read(&counting, 0, &start);
    if (e == OK) e = walk_both(&counting, &start, &is_more_than_counted, count_one, &counted);
    if (e != OK) return e;

    reply_list_begin(reply);
    e = walk_both(&showing, &from, &has_more, show_one, &made);
    uint64_t cursor = from.id | (from.is_by_mail ? by_mail_bit : 0);
    reply_list_end(reply, cursor, has_more, is_more_than_counted ? LOOKS_MAX : counted.count);
    return e;
}
