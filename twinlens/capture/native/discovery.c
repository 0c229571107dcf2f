/* TWINLENS_GEV_DEVICES holds IPv4 addresses separated by commas or spaces, each with an optional :port. */
#include "discovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "errors.h"
#include "gvcp.h"

/* The virtual rig; a lab lists its own cameras. */
static const char default_devices[] = "127.0.0.2,127.0.0.3";

enum { ACKNOWLEDGE_SIZE = 248, REPEAT_MS = 200, LONGEST_WAIT_MS = 1000 };

struct inquiry {
    struct sockaddr_in addresses[CAMERAS_MAX];
    struct camera_identity answers[CAMERAS_MAX];
    bool answered[CAMERAS_MAX];
    uint32_t count;
};

static GC_ERROR parse_address(const char *word, struct sockaddr_in *address) {
    char host[64];
    unsigned port = GVCP_PORT;
    snprintf(host, sizeof host, "%s", word);
    char *colon = strchr(host, ':');
    char rest = 0;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    bool valid = true;
    if (colon != NULL) {
        *colon = 0;
        valid = sscanf(colon + 1, "%u%c", &port, &rest) == 1 && port > 0 && port <= UINT16_MAX;
    }
    address->sin_port = htons((uint16_t)port);
    if (valid && inet_pton(AF_INET, host, &address->sin_addr) == 1) return GC_ERR_SUCCESS;
    return fail(GC_ERR_INVALID_PARAMETER, "TWINLENS_GEV_DEVICES: '%s' is not an IPv4 address with optional :port",
                word);
}

static GC_ERROR parse_list(const char *list, struct inquiry *inquiry) {
    char *words = strdup(list);
    if (words == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the list of cameras");
    GC_ERROR result = GC_ERR_SUCCESS;
    char *rest = NULL;
    for (char *word = strtok_r(words, ", \t\n", &rest); word != NULL && result == GC_ERR_SUCCESS;
         word = strtok_r(NULL, ", \t\n", &rest)) {
        if (inquiry->count == CAMERAS_MAX)
            result = fail(GC_ERR_INVALID_PARAMETER, "TWINLENS_GEV_DEVICES lists more than %d cameras", CAMERAS_MAX);
        else
            result = parse_address(word, &inquiry->addresses[inquiry->count++]);
    }
    free(words);
    return result;
}

static void ask(int sender, const struct inquiry *inquiry) {
    uint8_t packet[GVCP_HEADER];
    for (uint32_t index = 0; index < inquiry->count; index++) {
        if (inquiry->answered[index]) continue;
        gvcp_put_header(packet, GVCP_DISCOVERY, 0, (uint16_t)(index + 1));
        /* An address without a route simply never answers. */
        (void)!sendto(sender, packet, sizeof packet, MSG_NOSIGNAL,
                      (const struct sockaddr *)&inquiry->addresses[index], sizeof inquiry->addresses[index]);
    }
}

/* Copies a fixed field, up to its first zero, without what would break a line. */
static void copy_field(char *text, const uint8_t *field, size_t size) {
    size_t length = 0;
    while (length < size && field[length] >= ' ') length++;
    memcpy(text, field, length);
    text[length] = 0;
}

/* Layout of the acknowledge: the first 0xF8 bytes of the bootstrap registers (GigE Vision, DISCOVERY_ACK). */
static void read_identity(const uint8_t *data, struct camera_identity *camera) {
    copy_field(camera->vendor, data + 72, 32);
    copy_field(camera->model, data + 104, 32);
    copy_field(camera->version, data + 136, 32);
    copy_field(camera->serial, data + 216, 16);
    copy_field(camera->user_name, data + 232, 16);
    memcpy(camera->id, camera->serial, sizeof camera->serial);
    size_t length = strlen(camera->serial);
    snprintf(camera->id + length, sizeof camera->id - length, "-%02x%02x%02x%02x%02x%02x", data[10], data[11], data[12],
             data[13], data[14], data[15]);
}

static void take_answer(int receiver, struct inquiry *inquiry) {
    uint8_t packet[GVCP_LARGEST];
    struct sockaddr_in from = {0};
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(receiver, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
    if (size < GVCP_HEADER + ACKNOWLEDGE_SIZE || get_u16(packet) != 0) return;
    if (get_u16(packet + 2) != GVCP_DISCOVERY + 1) return;
    uint32_t index = get_u16(packet + 6) - 1u;
    if (index >= inquiry->count || inquiry->answered[index]) return;
    if (from.sin_addr.s_addr != inquiry->addresses[index].sin_addr.s_addr) return;
    inquiry->answered[index] = true;
    inquiry->answers[index].address = inquiry->addresses[index];
    read_identity(packet + GVCP_HEADER, &inquiry->answers[index]);
}

static uint32_t count_missing(const struct inquiry *inquiry) {
    uint32_t missing = 0;
    for (uint32_t index = 0; index < inquiry->count; index++) missing += !inquiry->answered[index];
    return missing;
}

static void wait_for_answers(int both_ways, struct inquiry *inquiry, uint64_t timeout_ms) {
    int64_t now_ms = monotonic_ms();
    int64_t deadline_ms = now_ms + (int64_t)(timeout_ms < LONGEST_WAIT_MS ? timeout_ms : LONGEST_WAIT_MS);
    int64_t repeat_ms = now_ms;
    while (count_missing(inquiry) > 0 && now_ms <= deadline_ms) {
        if (now_ms >= repeat_ms) {
            ask(both_ways, inquiry);
            repeat_ms = now_ms + REPEAT_MS;
        }
        int64_t wake_ms = repeat_ms < deadline_ms ? repeat_ms : deadline_ms;
        struct pollfd ready = {.fd = both_ways, .events = POLLIN};
        if (poll(&ready, 1, (int)(wake_ms - now_ms) + 1) > 0) take_answer(both_ways, inquiry);
        now_ms = monotonic_ms();
    }
}

static void add_unless_known(struct camera_identity *cameras, uint32_t *count, const struct camera_identity *camera) {
    for (uint32_t index = 0; index < *count; index++)
        if (strcmp(cameras[index].id, camera->id) == 0) return;
    cameras[(*count)++] = *camera;
}

GC_ERROR discover(struct camera_identity *cameras, uint32_t *count, uint64_t timeout_ms) {
    const char *list = getenv("TWINLENS_GEV_DEVICES");
    *count = 0;
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    if (inquiry == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for discovery");
    GC_ERROR result = parse_list(list == NULL ? default_devices : list, inquiry);
    if (result == GC_ERR_SUCCESS) {
        int both_ways = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (both_ways < 0) {
            result = fail(GC_ERR_IO, "no socket for discovery: %s", strerror(errno));
        } else {
            wait_for_answers(both_ways, inquiry, timeout_ms);
            close(both_ways);
        }
    }
    for (uint32_t index = 0; index < inquiry->count; index++)
        if (inquiry->answered[index]) add_unless_known(cameras, count, &inquiry->answers[index]);
    free(inquiry);
    return result;
}
