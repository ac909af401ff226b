/* Any bytes as a configuration file, as one value, and as an environment: an error or settings, never harm. */
#include "core/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool names_a_file(struct text t)
{
    struct text rest = t;
    for (size_t i = 0; i + 5 <= rest.bytes; i++) {
        if (text_equal_fold((struct text){rest.data + i, 5}, TEXT("_file"))) return true;
    }
    return false;
}

static void try_environment(struct config *config, struct text input, struct config_error *error)
{
    char variable[4200];
    char *environment[] = {variable, NULL};
    size_t n = sizeof "HOMEPORT_" - 1;
    memcpy(variable, "HOMEPORT_", n);
    if (!text_to_zero_ended(input, variable + n, sizeof variable - n)) return;
    config_read_environment(config, environment, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct text input = {(const char *)data, bytes};
    struct config config;
    struct config_error error;
    struct config_row row;
    struct arena arena;
    /* Nor does the fuzzer read files of this machine. */
    if (names_a_file(input)) return 0;

    config_init(&config);
    if (!config_read(&config, input, TEXT("fuzz.conf"), &error) && strlen(error.text) >= sizeof error.text) abort();
    try_environment(&config, input, &error);
    if (bytes > 0 && data[0] < SETTING_COUNT) {
        arena_init(&arena, 1 << 20);
        if (!config_row_at(&config, data[0], &arena, &row)) abort();
        struct text value = {input.data + 1, bytes - 1};
        /* What was taken can be shown, and shown it can be taken again. */
        if (config_set(&config, row.key, value, ORIGIN_FLAG, &error)) {
            if (!config_row_at(&config, data[0], &arena, &row)) abort();
            if (!arena_overflowed(&arena) && row.value.bytes <= row.most &&
                !config_set(&config, row.key, row.value, ORIGIN_FLAG, &error)) abort();
        }
        arena_free(&arena);
    }
    config_free(&config);
    return 0;
}
