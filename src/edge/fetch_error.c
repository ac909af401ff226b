#include "edge/fetch_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ALERT_UNRECOGNIZED_NAME = 112 }; /* RFC 6066; BearSSL has no name for it */

/* Nothing of the URL but call->origin goes into a sentence: path, query and user part may hold
 * secrets. curl's own error text is never shown for the same reason; its numbers are. */
__attribute__((format(printf, 3, 4))) static enum call_fault say(struct fetch_call *call,
                                                                 enum call_fault fault,
                                                                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call->error, sizeof call->error, format, arguments);
    va_end(arguments);
    return fault;
}

static const char *family_word(const struct fetch_call *call)
{
    return call->call.family == 4 ? "IPv4 " : call->call.family == 6 ? "IPv6 " : "";
}

static enum call_fault explain_resolve(struct fetch_call *call)
{
    return say(
        call, FAULT_RESOLVE,
        "No %saddress was found for %s: check the name, and that this machine's DNS resolver "
        "answers.",
        family_word(call), call->origin);
}

static enum call_fault explain_guard(struct fetch_call *call)
{
    char ip[IP_TEXT_SIZE];
    ip_format(&call->refused, ip);
    if (call->call.is_plain) {
        return say(
            call, FAULT_ADDRESS,
            "%s is at %s, which is not loopback: smtp.starttls = false is for a mail server on this "
            "machine only, or password and mail would travel for all to read.",
            call->origin, ip);
    }
    return say(call, FAULT_ADDRESS,
               "%s is at %s, a %s address, which calls like this may not reach: add its "
               "network to net.allow_private if it is yours and meant.",
               call->origin, ip, ip_class_name(ip_class(&call->refused)));
}

static enum call_fault explain_connect(struct fetch_call *call)
{
    long error = 0;
    if (call->sockets_refused > 0 && call->sockets_opened == 0) return explain_guard(call);
    if (call->interface_errno != 0) {
        return say(call, FAULT_CONNECT,
                   "The network interface %s could not be used to reach %s: %s.",
                   call->call.interface.data, call->origin, strerror(call->interface_errno));
    }
    if (call->socket_errno != 0) {
        return say(call, FAULT_CONNECT, "No socket could be opened to reach %s: %s.", call->origin,
                   strerror(call->socket_errno));
    }
    /* An address literal of the other family: curl then connects to nothing at all. */
    if (call->call.family != 0 && call->sockets_opened == 0) return explain_resolve(call);
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
    switch (error) {
    case ECONNREFUSED:
        return say(call, FAULT_CONNECT,
                   "%s refused the connection: is the service running, and the port right?",
                   call->origin);
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return say(call, FAULT_CONNECT, "There is no %sroute to %s: check this machine's network.",
                   family_word(call), call->origin);
    case 0: return say(call, FAULT_CONNECT, "%s could not be connected to.", call->origin);
    default:
        return say(call, FAULT_CONNECT, "%s could not be connected to: %s.", call->origin,
                   strerror((int)error));
    }
}

static enum call_fault explain_timeout(struct fetch_call *call)
{
    unsigned long long ms = call->call.timeout_ms;
    long request_bytes = 0;
    if (call->easy == NULL) {
        return say(call, FAULT_TIMEOUT,
                   "The call to %s waited its whole %llu ms for other calls to end.", call->origin,
                   ms);
    }
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    if (request_bytes > 0 && call->body_bytes > 0) {
        return say(call, FAULT_TIMEOUT, "The answer of %s did not end within %llu ms.",
                   call->origin, ms);
    }
    if (request_bytes > 0) {
        return say(call, FAULT_TIMEOUT, "%s did not answer within %llu ms.", call->origin, ms);
    }
    if (call->verifier != NULL) {
        return say(call, FAULT_TIMEOUT,
                   "%s did not finish the TLS handshake in time (%llu ms for the whole call).",
                   call->origin, ms);
    }
    if (call->sockets_opened == 0) return explain_resolve(call);
    return say(
        call, FAULT_TIMEOUT,
        "%s did not accept a connection in time (%llu ms for the whole call): is the machine "
        "on, and does a firewall drop packets?",
        call->origin, ms);
}

static enum call_fault explain_certificate(struct fetch_call *call, int verdict)
{
    char today[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    switch (verdict) {
    case BR_ERR_X509_EXPIRED:
        if (gmtime_r(&now, &parts) != NULL) {
            strftime(today, sizeof today, "%Y-%m-%d %H:%M UTC", &parts);
        }
        return say(call, FAULT_TLS,
                   "The certificate of %s has expired or is not valid yet: renew it there, or "
                   "set this machine's clock, which says %s.",
                   call->origin, today);
    case BR_ERR_X509_BAD_SERVER_NAME:
        return say(call, FAULT_TLS,
                   "The certificate of %s is for another name: check the address, or the "
                   "certificate there.",
                   call->origin);
    case BR_ERR_X509_NOT_TRUSTED:
    case BR_ERR_X509_DN_MISMATCH:
        return say(
            call, FAULT_TLS,
            "The certificate of %s is not trusted: no authority in %s has signed it, or "
            "the server does not send its intermediate certificates. Add a private authority's "
            "certificate to that file.",
            call->origin, call->settings->ca_file);
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        return say(call, FAULT_TLS,
                   "The certificate of %s has an RSA key under 2048 bits: it needs a new one.",
                   call->origin);
    case BR_ERR_X509_BAD_SIGNATURE:
    case BR_ERR_X509_UNSUPPORTED:
        return say(call, FAULT_TLS,
                   "The certificate of %s has a bad signature or one of a kind (SHA-1, MD5, "
                   "Ed25519) that is not accepted.",
                   call->origin);
    default:
        return say(call, FAULT_TLS, "The certificate of %s cannot be used (BearSSL error %d).",
                   call->origin, verdict);
    }
}

/* curl tells BearSSL's error only in its text: "BearSSL: connection error 0x0146". -1 without
 * one. */
static long tls_error_number(const struct fetch_call *call)
{
    const char *number = strstr(call->curl_error, "error 0x");
    return number == NULL ? -1 : strtol(number + strlen("error 0x"), NULL, 16);
}

static enum call_fault explain_tls(struct fetch_call *call)
{
    long error = tls_error_number(call);
    int verdict = call->verifier == NULL ? 0 : call->verifier->err;
    if (verdict > BR_ERR_X509_OK && verdict <= BR_ERR_X509_NOT_TRUSTED) {
        return explain_certificate(call, verdict);
    }

    switch (error) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION:
        return say(call, FAULT_TLS, "%s speaks no TLS on this port, or none as new as TLS 1.2.",
                   call->origin);
    case -1: /* The connection ended. */
    case BR_ERR_RECV_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE:
    case BR_ERR_RECV_FATAL_ALERT + BR_ALERT_PROTOCOL_VERSION:
    case BR_ERR_RECV_FATAL_ALERT + BR_ALERT_INSUFFICIENT_SECURITY:
        return say(
            call, FAULT_TLS,
            "%s refused the TLS handshake. TLS 1.2 is the newest that homeport speaks: a server "
            "that takes TLS 1.3 only must allow TLS 1.2 as well.",
            call->origin);
    case BR_ERR_RECV_FATAL_ALERT + ALERT_UNRECOGNIZED_NAME:
        return say(call, FAULT_TLS, "%s does not serve this name by TLS: check the address.",
                   call->origin);
    default:
        return say(call, FAULT_TLS, "The TLS connection with %s failed (BearSSL error %ld).",
                   call->origin, error);
    }
}

/* True from the first byte of the TLS handshake to its end. */
static bool in_handshake(const struct fetch_call *call)
{
    curl_off_t done_us = 0;
    curl_easy_getinfo(call->easy, CURLINFO_APPCONNECT_TIME_T, &done_us);
    return call->verifier != NULL && done_us == 0;
}

static enum call_fault explain_cut(struct fetch_call *call)
{
    long status = 0;
    if (in_handshake(call)) return explain_tls(call);
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 0) {
        return say(call, FAULT_CUT, "%s ended the connection without an answer.", call->origin);
    }
    return say(call, FAULT_CUT, "%s ended the connection in the middle of its answer.",
               call->origin);
}

static enum call_fault explain_code(struct fetch_call *call)
{
    switch (call->code) {
    case CURLE_COULDNT_RESOLVE_HOST: return explain_resolve(call);
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED: return explain_connect(call);
    case CURLE_OPERATION_TIMEDOUT: return explain_timeout(call);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER: return explain_tls(call);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: return explain_cut(call);
    case CURLE_TOO_LARGE:
        return say(call, FAULT_TOO_LONG, "The header of the answer of %s is too long.",
                   call->origin);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return say(call, FAULT_OTHER, "%s does not speak HTTP on this port.", call->origin);
    case CURLE_URL_MALFORMAT:
        return say(call, FAULT_URL, "The URL for %s cannot be used.", call->origin);
    default:
        return say(call, FAULT_OTHER, "The call to %s failed: %s.", call->origin,
                   curl_easy_strerror(call->code));
    }
}

bool fetch_is_certificate_fault(const struct fetch_call *call)
{
    int verdict = call->verifier == NULL ? 0 : call->verifier->err;
    bool is_tls_fault =
        call->code == CURLE_PEER_FAILED_VERIFICATION || call->code == CURLE_SSL_CONNECT_ERROR;
    return is_tls_fault && verdict > BR_ERR_X509_OK && verdict <= BR_ERR_X509_NOT_TRUSTED;
}

void fetch_explain(struct fetch_call *call, struct http_result *result)
{
    if (call->fault != FAULT_NONE) {
        result->fault = call->fault;
    } else if (call->is_too_long) {
        result->fault = say(call, FAULT_TOO_LONG,
                            "The answer of %s is longer than the %zu bytes that are taken.",
                            call->origin, call->call.answer_bytes_max);
    } else if (call->is_memory_short || call->code == CURLE_OUT_OF_MEMORY) {
        result->fault =
            say(call, FAULT_OTHER, "Memory was short for the call to %s.", call->origin);
    } else {
        result->fault = explain_code(call);
    }
    result->error = text_of(call->error);
    long request_bytes = 0;
    if (call->easy == NULL || call->call.is_mail) return;
    curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    result->may_have_arrived = request_bytes > 0;
}
