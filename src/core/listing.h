/* Lists: a page of records along an index, as every GET of a collection answers it. */
#ifndef HOMEPORT_CORE_LISTING_H
#define HOMEPORT_CORE_LISTING_H

#include "core/step.h"

struct listing {
    const struct record_type *type;
    const struct record_index
        *index; /* COUNTED: the records with the values of `like`; NULL: all there are */
    const void *like;
    bool newest_first;
};

/* The page that the call asks for; costs the same wherever in the list it is. */
enum err reply_listing(struct view *view, const struct call *call, struct reply *reply,
                       const struct listing *listing);

#endif
