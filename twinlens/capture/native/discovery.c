/* TWINLENS_GEV_DEVICES holds IPv4 addresses separated by commas or spaces, each with an optional :port; the loopback
 * has no broadcast, so the virtual rig must be listed. TWINLENS_GEV_BROADCAST=0 asks the listed addresses only. */
#include "discovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "gvcp.h"
#include "networks.h"

/* The virtual rig; a lab's cameras answer broadcasts. */
static const char default_devices[] = "127.0.0.2,127.0.0.3";

/* Cameras answer a broadcast within milliseconds, on a busy computer tenths of a second; a lost question is repeated
 * once or twice in that time. */
enum { REPEAT_MS = 200, BROADCAST_WAIT_MS = 500, LONGEST_WAIT_MS = 1000, BROADCAST_REQUEST = 0x7000 };

struct inquiry {
    int both_ways; /* socket */
    struct sockaddr_in addresses[CAMERAS_MAX];
    bool answered[CAMERAS_MAX];
    uint32_t listed;
    struct network networks[NETWORKS_MAX];
    uint32_t network_count;
    bool broadcasts;
    struct camera_identity cameras[CAMERAS_MAX];
    uint32_t place[CAMERAS_MAX]; /* in the list, CAMERAS_MAX for the others */
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
        if (inquiry->listed == CAMERAS_MAX)
            result = fail(GC_ERR_INVALID_PARAMETER, "TWINLENS_GEV_DEVICES lists more than %d cameras", CAMERAS_MAX);
        else
            result = parse_address(word, &inquiry->addresses[inquiry->listed++]);
    }
    free(words);
    return result;
}

static void ask(const struct inquiry *inquiry) {
    uint8_t packet[GVCP_HEADER];
    for (uint32_t index = 0; index < inquiry->listed; index++) {
        if (inquiry->answered[index]) continue;
        gvcp_put_header(packet, GVCP_FLAG_ACKNOWLEDGE, GVCP_DISCOVERY, 0, (uint16_t)(index + 1));
        /* An address without a route simply never answers. */
        (void)!sendto(inquiry->both_ways, packet, sizeof packet, MSG_NOSIGNAL,
                      (const struct sockaddr *)&inquiry->addresses[index], sizeof inquiry->addresses[index]);
    }
    gvcp_put_header(packet, GVCP_FLAG_ACKNOWLEDGE | GVCP_FLAG_BROADCAST_ACKNOWLEDGE, GVCP_DISCOVERY, 0,
                    BROADCAST_REQUEST);
    for (uint32_t index = 0; index < inquiry->network_count && inquiry->broadcasts; index++) {
        if (!inquiry->networks[index].broadcasts) continue;
        network_broadcast(inquiry->both_ways, &inquiry->networks[index], false, packet, sizeof packet);
        network_broadcast(inquiry->both_ways, &inquiry->networks[index], true, packet, sizeof packet);
    }
}

/* Where in the answers this camera is, a new place if it is new; NULL when there are too many. */
static struct camera_identity *find_place(struct inquiry *inquiry, const struct camera_identity *camera) {
    for (uint32_t index = 0; index < inquiry->count; index++)
        if (strcmp(inquiry->cameras[index].id, camera->id) == 0) return &inquiry->cameras[index];
    if (inquiry->count == CAMERAS_MAX) return NULL;
    inquiry->place[inquiry->count] = CAMERAS_MAX;
    inquiry->cameras[inquiry->count] = *camera;
    return &inquiry->cameras[inquiry->count++];
}

/* Remembers the interface an answer came by; the network that holds the camera's address is the better one. */
static void note_network(const struct inquiry *inquiry, struct camera_identity *camera, unsigned interface_index) {
    for (uint32_t index = 0; index < inquiry->network_count; index++) {
        const struct network *network = &inquiry->networks[index];
        bool fits = network_holds(network, camera->ip);
        if (network->interface_index != interface_index || (camera->interface_index != 0 && !fits)) continue;
        camera->interface_index = interface_index;
        camera->host_ip = network->ip;
        camera->host_mask = network->mask;
        memcpy(camera->interface_name, network->name, sizeof network->name);
        camera->reachable |= fits;
    }
}

static void take_answer(struct inquiry *inquiry) {
    uint8_t packet[GVCP_LARGEST];
    struct sockaddr_in from = {0};
    unsigned interface_index;
    struct gvcp_acknowledge acknowledge;
    struct camera_identity heard;
    ssize_t size = networks_receive(inquiry->both_ways, packet, sizeof packet, &from, &interface_index);
    if (size < 0 || !gvcp_parse_acknowledge(packet, (size_t)size, &acknowledge)) return;
    if (!identity_parse(&acknowledge, &heard)) return;
    if (heard.ip == 0) heard.ip = ntohl(from.sin_addr.s_addr);
    heard.address = from;
    bool by_broadcast = acknowledge.request_id == BROADCAST_REQUEST;
    uint32_t index = acknowledge.request_id - 1u;
    if (!by_broadcast && (index >= inquiry->listed || inquiry->answered[index] ||
                          from.sin_addr.s_addr != inquiry->addresses[index].sin_addr.s_addr))
        return;
    struct camera_identity *camera = find_place(inquiry, &heard);
    if (camera == NULL) return;
    note_network(inquiry, camera, interface_index);
    camera->by_broadcast |= by_broadcast;
    if (by_broadcast) return;
    inquiry->answered[index] = true;
    camera->reachable = true;
    uint32_t *place = &inquiry->place[camera - inquiry->cameras];
    if (index >= *place) return;
    *place = index;
    camera->address = inquiry->addresses[index];
}

static bool is_complete(const struct inquiry *inquiry, int64_t waited_ms) {
    if (inquiry->broadcasts && waited_ms < BROADCAST_WAIT_MS) return false;
    for (uint32_t index = 0; index < inquiry->listed; index++)
        if (!inquiry->answered[index]) return false;
    return true;
}

static void wait_for_answers(struct inquiry *inquiry, uint64_t timeout_ms) {
    int64_t begin_ms = monotonic_ms(), now_ms = begin_ms, repeat_ms = begin_ms;
    int64_t deadline_ms = now_ms + (int64_t)(timeout_ms < LONGEST_WAIT_MS ? timeout_ms : LONGEST_WAIT_MS);
    while (!is_complete(inquiry, now_ms - begin_ms) && now_ms <= deadline_ms) {
        if (now_ms >= repeat_ms) {
            ask(inquiry);
            repeat_ms = now_ms + REPEAT_MS;
        }
        int64_t wake_ms = repeat_ms < deadline_ms ? repeat_ms : deadline_ms;
        struct pollfd ready = {.fd = inquiry->both_ways, .events = POLLIN};
        if (poll(&ready, 1, (int)(wake_ms - now_ms) + 1) > 0) take_answer(inquiry);
        now_ms = monotonic_ms();
    }
}

/* Selection by place, then id: there are few cameras. */
static void sort_out(struct inquiry *inquiry, struct camera_identity *cameras, uint32_t *count) {
    for (*count = 0; *count < inquiry->count; (*count)++) {
        uint32_t first = UINT32_MAX;
        for (uint32_t index = 0; index < inquiry->count; index++) {
            if (inquiry->place[index] > CAMERAS_MAX) continue; /* taken */
            if (first == UINT32_MAX || inquiry->place[index] < inquiry->place[first] ||
                (inquiry->place[index] == inquiry->place[first] &&
                 strcmp(inquiry->cameras[index].id, inquiry->cameras[first].id) < 0))
                first = index;
        }
        cameras[*count] = inquiry->cameras[first];
        inquiry->place[first] = UINT32_MAX;
    }
}

GC_ERROR discover(struct camera_identity *cameras, uint32_t *count, uint64_t timeout_ms) {
    const char *list = getenv("TWINLENS_GEV_DEVICES");
    const char *broadcast = getenv("TWINLENS_GEV_BROADCAST");
    *count = 0;
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    if (inquiry == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for discovery");
    GC_ERROR result = parse_list(list == NULL ? default_devices : list, inquiry);
    inquiry->network_count = networks_list(inquiry->networks);
    for (uint32_t index = 0; index < inquiry->network_count; index++)
        inquiry->broadcasts |= inquiry->networks[index].broadcasts;
    if (broadcast != NULL && strcmp(broadcast, "0") == 0) inquiry->broadcasts = false;
    inquiry->both_ways = result == GC_ERR_SUCCESS ? networks_socket() : -1;
    if (inquiry->both_ways >= 0) {
        wait_for_answers(inquiry, timeout_ms);
        close(inquiry->both_ways);
    } else if (result == GC_ERR_SUCCESS) {
        result = fail(GC_ERR_IO, "no socket for discovery: %s", strerror(errno));
    }
    sort_out(inquiry, cameras, count);
    free(inquiry);
    return result;
}
