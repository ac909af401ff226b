/* A route, and one call of it: what a handler gets to see of a request, and how it answers. */
#ifndef HOMEPORT_CORE_CALL_H
#define HOMEPORT_CORE_CALL_H

#include "core/json.h"
#include "core/record.h"
#include "core/request.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_COUNT };
enum route_lane { LANE_READ, LANE_TURN };
enum access { ACCESS_PUBLIC, ACCESS_OPTIONAL, ACCESS_METRICS, ACCESS_DYNDNS, ACCESS_USER, ACCESS_OPERATOR, ACCESS_ADMIN, ACCESS_SUPER };
enum scope { SCOPE_none, SCOPE_accounts, SCOPE_ddns, SCOPE_tasks, SCOPE_COUNT };
enum gives { GIVES_NO_DATA, GIVES_ONE, GIVES_LIST, GIVES_OTHER };

/* What an API key may do, one bit a scope word. */
enum right {
    RIGHT_READ = 1,
    RIGHT_WRITE = 2,
    RIGHT_ALL = 3
    /* scope s: read is bit 2 + 2 * s, write the one above */
};
static inline uint32_t right_of(enum scope scope, bool is_write)
{
    return (uint32_t)1 << (2 + 2 * (unsigned)scope + (is_write ? 1 : 0));
}

struct caller {
    uint64_t user_id;    /* 0: nobody signed in */
    uint64_t key_id;     /* API key, or 0 */
    uint64_t session_id; /* sign-in, or 0 */
    enum role role;
    uint32_t rights;     /* enum right */
    bool must_enroll;    /* the role asks for a second factor and there is none: little is open */
    bool is_host_bound;  /* a key with hosts: /nic/update alone, and for them alone */
};

struct page {
    unsigned limit;
    uint64_t after; /* id that the cursor names; 0: from the start */
};

struct route;

/* Spans are good until the handler returns. */
struct call {
    const struct route *route;
    uint64_t exchange;    /* what the answer belongs to; 0: nobody waits */
    uint64_t id;          /* {id} in the path */
    struct caller caller;
    enum err refused;     /* OPTIONAL routes: what was wrong with the credential that was sent */
    struct text query;    /* still encoded */
    struct page page;
    const void *body;     /* the route's type; NULL when it takes none */
    uint64_t given;       /* FIELD_BITs of what the body gave */
    struct text body_raw; /* for Idempotency-Key */
    struct text idempotency_key;
    struct text if_match, if_none_match;
    struct text request_id, ip, user_agent;
    uint64_t started_us;  /* the loop's clock, for metrics */
};

/* An answer in the making. */
enum { ETAG_SIZE = 40 };
struct reply {
    unsigned status;
    struct text content_type; /* static text */
    char etag[ETAG_SIZE];     /* zero-ended; empty: none */
    struct json body;
};

struct step;
struct view;
typedef enum err (*read_handler)(struct view *view, const struct call *call, struct reply *reply);
typedef enum err (*turn_handler)(struct step *step, const struct call *call, struct reply *reply);

struct route {
    enum method method;
    struct text path, operation;
    enum route_lane lane;
    enum access access;
    enum scope scope;
    read_handler read;
    turn_handler turn;
    const struct record_type *takes; /* NULL: no body */
    enum shown purpose;
    bool is_form;                    /* the body is a form, else JSON */
    const char *query;               /* names of its parameters, with commas; NULL: none */
    struct text page_done, page_failed; /* where a browser goes that a link brought here; empty: it gets the JSON */
    enum gives gives;
    const struct record_type *given;
    struct text content_type;        /* GIVES_OTHER; its JSON may be that of `given`, without the envelope */
    unsigned status;
    const char *sentence;
};

/* Each row of routes.def is a handler somewhere in a product folder. */
#define HANDLER_READ(operation) enum err operation(struct view *view, const struct call *call, struct reply *reply);
#define HANDLER_TURN(operation) enum err operation(struct step *step, const struct call *call, struct reply *reply);
#define ROUTE(method, path, operation, lane, access, scope, takes, gives, status, sentence) HANDLER_##lane(operation)
#include "routes.def"
#undef ROUTE

/* ---- answers: {"code":0,"message":"success","data":...} ---- */

void reply_start(struct reply *reply, const struct route *route);
void reply_one(struct reply *reply, const struct record_type *type, const void *record);
void reply_no_data(struct reply *reply);
/* A list: begin, one reply_item() each, end with the cursor of the last item when more follow. */
void reply_list_begin(struct reply *reply);
void reply_item(struct reply *reply, const struct record_type *type, const void *record);
void reply_list_end(struct reply *reply, uint64_t last_id, bool has_more, uint64_t total);
/* data of any other form: begin, then exactly one json value into reply->body, end. */
void reply_data_begin(struct reply *reply);
void reply_data_end(struct reply *reply);
/* A failure: status, envelope, the bad fields (may be NULL) and the request's id. These three give e back, for
 * a handler to return. */
enum err reply_error(struct reply *reply, enum err e, const struct field_errors *errors, struct text request_id);
/* The same with one bad field: ERR_INVALID, or ERR_BAD_QUERY for a parameter. */
enum err reply_error_field(struct reply *reply, enum err e, struct text field, struct text reason,
                           struct text request_id);
/* The same with a message of its own instead of the error's sentence. */
enum err reply_error_saying(struct reply *reply, enum err e, struct text message, struct text request_id);

/* Strong entity tag in two parts, "E-S" in quotes: E changes with what callers may edit, S with anything
 * shown. If-Match compares E alone, so that a status that moves by itself does not fail an edit. */
void etag_of(const struct record_type *type, const void *record, char etag[ETAG_SIZE]);
/* A header's list of tags, or "*", against one tag. With edit_part_only it is an If-Match: E alone counts and
 * weak tags never match (RFC 9110, 13.1.1). Without it is an If-None-Match: whole tags, weak or not. */
bool etag_matches(struct text if_match, const char *etag, bool edit_part_only);
/* For handlers that change a record: OK, or ERR_ETAG_MISMATCH when the call's If-Match names another state. */
enum err call_guard(const struct call *call, const struct record_type *type, const void *record);

/* The cursor that continues a list behind `id`: opaque text with a checksum, so that what this server never
 * gave out is refused. It is no secret and no proof: lists check ownership for themselves. */
enum { CURSOR_BYTES = 16 };
void cursor_text(uint64_t id, char out[CURSOR_BYTES]);
/* OK or ERR_BAD_CURSOR. */
enum err cursor_read(struct text cursor, uint64_t *id);

/* The value of a query parameter, percent-decoded into the arena; empty when absent or malformed. */
struct text call_query(const struct call *call, struct text name, struct arena *arena);
/* Percent-decodes ("+" is a blank only when is_form). False when malformed or it holds a NUL. */
bool percent_decode(struct text t, bool is_form, struct arena *arena, struct text *out);

#endif
