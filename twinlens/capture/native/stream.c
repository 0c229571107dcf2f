/* DS...: the stream's life and acquisition. Information is in stream_info.c, buffers in queues.c, the event in
 * events.c. */
#include "stream.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "errors.h"
#include "events.h"
#include "system.h"

enum { SMALLEST_PACKET = 128, SOCKET_MEMORY = 16 << 20 };
enum { REGISTER_CAPABILITY = 0x0934, RESEND_CAPABILITY = 1 << 2 };

static struct device *device_of(struct stream *stream) { return (struct device *)stream->module.parent; }

/* Ends acquisition; the caller holds `control`. */
static void stop_receiving(struct stream *stream, bool finish_frames) {
    pthread_mutex_lock(&stream->lock);
    struct receiver *receiver = stream->receiver;
    pthread_mutex_unlock(&stream->lock);
    if (receiver == NULL) return;
    receiver_stop(receiver, finish_frames);
    pthread_mutex_lock(&stream->lock);
    stream->receiver = NULL;
    stream->stops++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    /* Port 0 stops a camera at once, even one that was never told AcquisitionStop. */
    (void)gvcp_write_register(&device_of(stream)->gvcp, REGISTER_STREAM_PORT, 0);
}

static void stream_interrupt(struct module *module) {
    struct stream *stream = (struct stream *)module;
    pthread_mutex_lock(&stream->control);
    pthread_mutex_lock(&stream->lock);
    stream->closing = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    stop_receiving(stream, false);
    pthread_mutex_unlock(&stream->control);
}

static void stream_destroy(struct module *module) {
    struct stream *stream = (struct stream *)module;
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
    pthread_mutex_destroy(&stream->control);
    free(stream);
}

static const struct module_class stream_class = {
    .kind = KIND_STREAM,
    .name = "data stream",
    .description = &stream_description,
    .info = stream_info,
    .set = stream_set,
    .interrupt = stream_interrupt,
    .destroy = stream_destroy,
};

static void init_stream(struct stream *stream) {
    monotonic_condition_init(&stream->changed);
    pthread_mutex_init(&stream->control, NULL);
    pthread_mutex_init(&stream->lock, NULL);
    pool_init(&stream->pool);
    stream->receive_buffer_request = SOCKET_MEMORY;
}

GC_ERROR stream_open(struct device *device, DS_HANDLE *handle) {
    if (module_count_children(&device->module, KIND_STREAM) > 0)
        return fail(GC_ERR_RESOURCE_IN_USE, "%s: the stream is open already", device->gvcp.who);
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the stream");
    init_stream(stream);
    GC_ERROR result = device_may_write(device) ? packet_size_negotiate(device, &stream->packet_size) : GC_ERR_SUCCESS;
    if (result == GC_ERR_SUCCESS && !module_publish(&stream->module, &stream_class, &device->module))
        result = fail(GC_ERR_OUT_OF_MEMORY, "no memory for the stream");
    if (result == GC_ERR_SUCCESS)
        *handle = stream->module.handle;
    else
        stream_destroy(&stream->module);
    return result;
}

static struct stream *borrow(DS_HANDLE handle) { return (struct stream *)module_borrow(handle, KIND_STREAM); }

GC_API DSClose(DS_HANDLE handle) {
    struct stream *stream = borrow(handle);
    return stream == NULL ? GC_ERR_INVALID_HANDLE : module_close(&stream->module);
}

GC_API DSGetInfo(DS_HANDLE handle, int32_t command, INFO_DATATYPE *type, void *buffer, size_t *size) {
    struct answer answer = {type, buffer, size};
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    return module_return(&stream->module, stream_info(&stream->module, command, &answer));
}

GC_API DSGetParentDev(DS_HANDLE handle, DEV_HANDLE *device) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    if (device == NULL)
        return module_return(&stream->module, fail(GC_ERR_INVALID_PARAMETER, "the handle pointer is NULL"));
    *device = stream->module.parent->handle;
    return module_return(&stream->module, GC_ERR_SUCCESS);
}

/* The camera's own packet size counts: a client may have changed it since the stream was opened. */
static GC_ERROR read_packet_size(struct device *device, uint32_t *packet_size) {
    uint32_t value = 0;
    GC_ERROR result = gvcp_read_register(&device->gvcp, REGISTER_STREAM_PACKET_SIZE, &value);
    *packet_size = value & UINT16_MAX;
    if (result != GC_ERR_SUCCESS || *packet_size >= SMALLEST_PACKET) return result;
    return fail(GC_ERR_INVALID_VALUE, "%s: its packet size is %u bytes, at least %d needed (GevSCPSPacketSize)",
                device->gvcp.who, *packet_size, SMALLEST_PACKET);
}

/* Bit 29 of the capability register, counted from the highest; a camera without the register resends nothing. */
static bool offers_resend(struct device *device) {
    uint32_t capability = 0;
    return gvcp_read_register(&device->gvcp, REGISTER_CAPABILITY, &capability) == GC_ERR_SUCCESS &&
           (capability & RESEND_CAPABILITY) != 0;
}

static GC_ERROR direct_stream(struct device *device, struct in_addr local, uint16_t port) {
    GC_ERROR result = gvcp_write_register(&device->gvcp, REGISTER_STREAM_DESTINATION, ntohl(local.s_addr));
    return result == GC_ERR_SUCCESS ? gvcp_write_register(&device->gvcp, REGISTER_STREAM_PORT, port) : result;
}

/* Why acquisition cannot start now, or success; the caller holds `lock`. */
static GC_ERROR check_startable(struct stream *stream) {
    const char *who = device_of(stream)->gvcp.who;
    if (stream->closing) return fail(GC_ERR_INVALID_HANDLE, "%s: the stream is being closed", who);
    if (stream->receiver != NULL) return fail(GC_ERR_RESOURCE_IN_USE, "%s: acquisition runs already", who);
    if (!device_may_write(device_of(stream))) return fail(GC_ERR_ACCESS_DENIED, "%s was opened read-only", who);
    if (TAILQ_EMPTY(&stream->pool.announced)) return fail(GC_ERR_INVALID_BUFFER, "%s: no buffer is announced", who);
    return GC_ERR_SUCCESS;
}

static GC_ERROR start(struct stream *stream, uint64_t frame_count) {
    struct device *device = device_of(stream);
    uint32_t packet_size = 0, receive_buffer = 0;
    uint16_t port = 0;
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = check_startable(stream);
    stream->then = stream->pool.total;
    receive_buffer = stream->receive_buffer_request;
    pthread_mutex_unlock(&stream->lock);
    if (result == GC_ERR_SUCCESS) result = read_packet_size(device, &packet_size);
    if (result != GC_ERR_SUCCESS) return result;
    struct receiver_terms terms = {
        .lock = &stream->lock,
        .delivered = &stream->changed,
        .pool = &stream->pool,
        .local = gvcp_local_address(&device->gvcp),
        .camera = device->identity.address.sin_addr,
        .packet_size = packet_size,
        .receive_buffer = receive_buffer,
        .gvcp = &device->gvcp,
        .resends = offers_resend(device),
        .frame_count = frame_count,
        .who = device->gvcp.who,
    };
    struct receiver *receiver = NULL;
    result = receiver_start(&terms, &receiver, &port, &receive_buffer);
    if (result != GC_ERR_SUCCESS) return result;
    pthread_mutex_lock(&stream->lock);
    stream->receiver = receiver;
    stream->packet_size = packet_size;
    stream->receive_buffer = receive_buffer;
    pthread_mutex_unlock(&stream->lock);
    result = direct_stream(device, terms.local, port);
    if (result != GC_ERR_SUCCESS) stop_receiving(stream, false);
    return result;
}

GC_API DSStartAcquisition(DS_HANDLE handle, int32_t flags, uint64_t frame_count) {
    (void)flags;
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(&stream->control);
    GC_ERROR result = start(stream, frame_count);
    pthread_mutex_unlock(&stream->control);
    return module_return(&stream->module, result);
}

GC_API DSStopAcquisition(DS_HANDLE handle, int32_t flags) {
    struct stream *stream = borrow(handle);
    if (stream == NULL) return GC_ERR_INVALID_HANDLE;
    pthread_mutex_lock(&stream->control);
    GC_ERROR result = GC_ERR_SUCCESS;
    pthread_mutex_lock(&stream->lock);
    if (stream->receiver == NULL) result = fail(GC_ERR_RESOURCE_IN_USE, "acquisition is not running");
    pthread_mutex_unlock(&stream->lock);
    if (result == GC_ERR_SUCCESS) stop_receiving(stream, (flags & ACQ_STOP_FLAGS_KILL) == 0);
    pthread_mutex_unlock(&stream->control);
    return module_return(&stream->module, result);
}
