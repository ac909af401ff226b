/* One HTTP request as the edge understood it: spans only, nothing decided, nothing decoded. */
#ifndef HOMEPORT_CORE_REQUEST_H
#define HOMEPORT_CORE_REQUEST_H

#include "core/address.h"
#include "core/text.h"

/* The header fields that anybody reads; all others are parsed, counted against the limits and dropped.
 * ONE marks a field that may stand only once in a request. */
#define HTTP_FIELDS(FIELD, ONE) \
    ONE(host, "host") \
    ONE(authorization, "authorization") \
    ONE(api_key, "x-api-key") \
    ONE(content_type, "content-type") \
    ONE(idempotency_key, "idempotency-key") \
    ONE(if_match, "if-match") \
    ONE(if_none_match, "if-none-match") \
    ONE(request_id, "x-request-id") \
    ONE(last_event_id, "last-event-id") \
    ONE(origin, "origin") \
    ONE(access_control_request_method, "access-control-request-method") \
    FIELD(access_control_request_headers, "access-control-request-headers") \
    FIELD(forwarded_for, "x-forwarded-for") \
    FIELD(user_agent, "user-agent") \
    FIELD(accept, "accept") \
    FIELD(accept_encoding, "accept-encoding") \
    FIELD(accept_language, "accept-language")

/* A FIELD that stands several times shows its last value, except x-forwarded-for, whose values the edge
 * joins with commas in their order when there are several. */
struct http_request {
    struct text method; /* "GET" */
    struct text path;   /* as sent, still percent-encoded, without the query */
    struct text query;  /* as sent, without the question mark */
    struct text body;
#define HTTP_MEMBER(name, field) struct text name;
    HTTP_FIELDS(HTTP_MEMBER, HTTP_MEMBER)
#undef HTTP_MEMBER
    struct ip_address peer; /* the socket's other end */
    bool is_head;
};

#endif
