/* A new file needs one row in each of the two tables below.
 *
 * The bytes get in by #embed, which clang knows and reports as a dependency, so that an edited page is
 * built in again. gcc 12 and clang 14, which build us for sanitizers only, do not know it: for them the
 * assembler includes the file, by its path from the project's root, where vendor/cc-build.sh runs them. */
#include "web/assets.h"

#include <assert.h>
#include <stdio.h>

#ifdef __has_embed

static const unsigned char index_html[] = {
#embed "ui/index.html"
};
static const unsigned char app_js[] = {
#embed "ui/app.js"
};
static const unsigned char style_css[] = {
#embed "ui/style.css"
};
static const unsigned char client_js[] = {
#embed "ui/client.js"
};
static const unsigned char doors_js[] = {
#embed "ui/doors.js"
};
static const unsigned char factor_js[] = {
#embed "ui/factor.js"
};
static const unsigned char fields_js[] = {
#embed "ui/fields.js"
};
static const unsigned char forms_js[] = {
#embed "ui/forms.js"
};
static const unsigned char home_js[] = {
#embed "ui/home.js"
};
static const unsigned char mail_js[] = {
#embed "ui/mail.js"
};
static const unsigned char view_js[] = {
#embed "ui/view.js"
};
static const unsigned char words_js[] = {
#embed "ui/words.js"
};
static const unsigned char docs_html[] = {
#embed "ui/docs.html"
};
static const unsigned char docs_js[] = {
#embed "ui/docs.js"
};
static const unsigned char redoc_html[] = {
#embed "ui/redoc.html"
};
static const unsigned char redoc_init_js[] = {
#embed "ui/redoc.js"
};
static const unsigned char swagger_css[] = {
#embed "../../.cache/src/docs/swagger-ui.css.gz"
};
static const unsigned char swagger_js[] = {
#embed "../../.cache/src/docs/swagger-ui-bundle.js.gz"
};
static const unsigned char redoc_js[] = {
#embed "../../.cache/src/docs/redoc.standalone.js.gz"
};
#define END(name) ((name) + sizeof(name))

#else

#define INCLUDE(name, file) \
    __asm__(".pushsection .rodata\n" #name ": .incbin \"" file "\"\n" #name \
            "_end: .popsection\n"); \
    extern const unsigned char name[], name##_end[]
INCLUDE(index_html, "src/web/ui/index.html");
INCLUDE(app_js, "src/web/ui/app.js");
INCLUDE(style_css, "src/web/ui/style.css");
INCLUDE(client_js, "src/web/ui/client.js");
INCLUDE(doors_js, "src/web/ui/doors.js");
INCLUDE(factor_js, "src/web/ui/factor.js");
INCLUDE(fields_js, "src/web/ui/fields.js");
INCLUDE(forms_js, "src/web/ui/forms.js");
INCLUDE(home_js, "src/web/ui/home.js");
INCLUDE(mail_js, "src/web/ui/mail.js");
INCLUDE(view_js, "src/web/ui/view.js");
INCLUDE(words_js, "src/web/ui/words.js");
INCLUDE(docs_html, "src/web/ui/docs.html");
INCLUDE(docs_js, "src/web/ui/docs.js");
INCLUDE(redoc_html, "src/web/ui/redoc.html");
INCLUDE(redoc_init_js, "src/web/ui/redoc.js");
INCLUDE(swagger_css, ".cache/src/docs/swagger-ui.css.gz");
INCLUDE(swagger_js, ".cache/src/docs/swagger-ui-bundle.js.gz");
INCLUDE(redoc_js, ".cache/src/docs/redoc.standalone.js.gz");
#define END(name) name##_end

#endif

#define HTML   "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE  "text/css; charset=utf-8"

static const struct file {
    const char *path;
    const char *content_type;
    bool is_gzip;
    const unsigned char *data;
    const unsigned char *end;
} files[] = {
    {"/", HTML, false, index_html, END(index_html)},
    {"/app.js", SCRIPT, false, app_js, END(app_js)},
    {"/style.css", STYLE, false, style_css, END(style_css)},
    {"/client.js", SCRIPT, false, client_js, END(client_js)},
    {"/doors.js", SCRIPT, false, doors_js, END(doors_js)},
    {"/factor.js", SCRIPT, false, factor_js, END(factor_js)},
    {"/fields.js", SCRIPT, false, fields_js, END(fields_js)},
    {"/forms.js", SCRIPT, false, forms_js, END(forms_js)},
    {"/home.js", SCRIPT, false, home_js, END(home_js)},
    {"/mail.js", SCRIPT, false, mail_js, END(mail_js)},
    {"/view.js", SCRIPT, false, view_js, END(view_js)},
    {"/words.js", SCRIPT, false, words_js, END(words_js)},
    {"/docs", HTML, false, docs_html, END(docs_html)},
    {"/docs/", HTML, false, docs_html, END(docs_html)},
    {"/docs/docs.js", SCRIPT, false, docs_js, END(docs_js)},
    {"/docs/redoc.js", SCRIPT, false, redoc_init_js, END(redoc_init_js)},
    {"/redoc", HTML, false, redoc_html, END(redoc_html)},
    {"/redoc/", HTML, false, redoc_html, END(redoc_html)},
    {"/docs/swagger-ui.css", STYLE, true, swagger_css, END(swagger_css)},
    {"/docs/swagger-ui-bundle.js", SCRIPT, true, swagger_js, END(swagger_js)},
    {"/docs/redoc.standalone.js", SCRIPT, true, redoc_js, END(redoc_js)},
};
#define FILE_COUNT (sizeof(files) / sizeof(files[0]))

static struct asset assets[FILE_COUNT];

/* FNV-1a: it only has to change when the file does. */
static uint64_t hash_of(const unsigned char *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ data[i]) * 0x100000001b3u;
    return hash;
}

static void fill_assets(void)
{
    for (size_t i = 0; i < FILE_COUNT; i++) {
        const struct file *file = &files[i];
        assert(file->data < file->end);
        size_t bytes = (size_t)(file->end - file->data);
        assets[i] = (struct asset){.path = file->path,
                                   .content_type = file->content_type,
                                   .is_gzip = file->is_gzip,
                                   .data = file->data,
                                   .bytes = bytes};
        int written = snprintf(assets[i].etag, sizeof(assets[i].etag), "\"%016llx\"",
                               (unsigned long long)hash_of(file->data, bytes));
        assert(written == 18);
        (void)written;
    }
}

const struct asset *asset_find(struct text path)
{
    if (assets[0].path == NULL) fill_assets();
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (text_equal(path, text_of(assets[i].path))) return &assets[i];
    }
    return NULL;
}
