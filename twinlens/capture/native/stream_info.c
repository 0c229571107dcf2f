/* What a stream tells about itself, by DSGetInfo and through the nodes of its module. */
#include "errors.h"
#include "stream.h"
#include "system.h"

enum { LEAST_BUFFERS = 4, LEAST_SOCKET_MEMORY = 1 << 16, MOST_SOCKET_MEMORY = 1 << 30 };

static const struct feature features[] = {
    {"StreamID", FEATURE_TEXT, STREAM_INFO_ID, "Identifies this stream"},
    {"StreamType", FEATURE_TEXT, STREAM_INFO_TLTYPE, "Transport layer"},
    {"StreamIsGrabbing", FEATURE_INTEGER, STREAM_INFO_IS_GRABBING, "1 while acquisition runs"},
    {"StreamAnnouncedBufferCount", FEATURE_INTEGER, STREAM_INFO_NUM_ANNOUNCED, "Buffers announced"},
    {"StreamInputBufferCount", FEATURE_INTEGER, STREAM_INFO_NUM_QUEUED, "Buffers that wait to be filled"},
    {"StreamOutputBufferCount", FEATURE_INTEGER, STREAM_INFO_NUM_AWAIT_DELIVERY, "Buffers that wait to be fetched"},
    {"StreamDeliveredFrameCount", FEATURE_INTEGER, STREAM_INFO_TOTAL_DELIVERED,
     "Frames delivered since the stream was opened, incomplete ones included"},
    {"StreamIncompleteFrameCount", FEATURE_INTEGER, STREAM_INFO_INCOMPLETE, "Of those, frames with packets missing"},
    {"StreamLostFrameCount", FEATURE_INTEGER, STREAM_INFO_LOST_FRAMES, "Frames of which no packet arrived"},
    {"StreamLostPacketCount", FEATURE_INTEGER, STREAM_INFO_LOST_PACKETS, "Packets missing in frames that were seen"},
    {"StreamResendRequestCount", FEATURE_INTEGER, STREAM_INFO_RESENDS_ASKED, "Packets the camera was asked for again"},
    {"StreamResendPacketCount", FEATURE_INTEGER, STREAM_INFO_RESENDS_RECOVERED, "Of those, packets that arrived"},
    {"StreamUnderrunCount", FEATURE_INTEGER, STREAM_INFO_NUM_UNDERRUN, "Frames that found no queued buffer"},
    {"StreamDuplicatePacketCount", FEATURE_INTEGER, STREAM_INFO_DUPLICATES,
     "Packets that came twice, or after their frame was delivered"},
    {"StreamInvalidPacketCount", FEATURE_INTEGER, STREAM_INFO_INVALID,
     "Packets of strangers, of no known form, or of a wrong size"},
    {"StreamPacketSize", FEATURE_INTEGER, STREAM_INFO_PACKET_SIZE, "Bytes per packet with IP, UDP and GVSP headers"},
    {"StreamReceiveBufferSize", FEATURE_INTEGER, STREAM_INFO_RECEIVE_BUFFER, "Bytes of socket memory granted"},
    {"StreamReceiveBufferRequest", FEATURE_WRITABLE_INTEGER, STREAM_INFO_RECEIVE_BUFFER_REQUEST,
     "Bytes of socket memory to ask for when acquisition starts next"},
};
const struct description stream_description = {
    .model = "Stream",
    .port_name = "StreamPort",
    .module = "TLDataStream",
    .features = features,
    .feature_count = sizeof features / sizeof *features,
};

static GC_ERROR answer_locked(const struct stream *stream, int32_t command, const struct answer *answer) {
    const struct buffer_pool *pool = &stream->pool;
    switch (command) {
        case STREAM_INFO_ID: return answer_text(answer, STREAM_ID);
        case STREAM_INFO_TLTYPE: return answer_text(answer, TRANSPORT);
        case STREAM_INFO_NUM_DELIVERED: return answer_u64(answer, pool->total.delivered - stream->then.delivered);
        case STREAM_INFO_NUM_UNDERRUN: return answer_u64(answer, pool->total.underruns);
        case STREAM_INFO_NUM_STARTED: return answer_u64(answer, pool->total.started - stream->then.started);
        case STREAM_INFO_NUM_ANNOUNCED:
            return answer_size(answer, pool_count(pool, PLACE_CLIENT) + pool_count(pool, PLACE_INPUT) +
                                           pool_count(pool, PLACE_FILLING) + pool_count(pool, PLACE_OUTPUT));
        case STREAM_INFO_NUM_QUEUED: return answer_size(answer, pool_count(pool, PLACE_INPUT));
        case STREAM_INFO_NUM_AWAIT_DELIVERY: return answer_size(answer, pool_count(pool, PLACE_OUTPUT));
        case STREAM_INFO_IS_GRABBING: return answer_bool(answer, stream->receiver != NULL);
        case STREAM_INFO_DEFINES_PAYLOADSIZE: return answer_bool(answer, 0);
        case STREAM_INFO_PAYLOAD_SIZE: return fail(GC_ERR_NOT_AVAILABLE, "the camera's PayloadSize feature says it");
        case STREAM_INFO_NUM_CHUNKS_MAX: return answer_size(answer, 0);
        case STREAM_INFO_BUF_ANNOUNCE_MIN: return answer_size(answer, LEAST_BUFFERS);
        case STREAM_INFO_BUF_ALIGNMENT: return answer_size(answer, 1);
        case STREAM_INFO_INCOMPLETE: return answer_u64(answer, pool->total.incomplete);
        case STREAM_INFO_LOST_PACKETS: return answer_u64(answer, pool->total.lost_packets);
        case STREAM_INFO_TOTAL_DELIVERED: return answer_u64(answer, pool->total.delivered);
        case STREAM_INFO_LOST_FRAMES: return answer_u64(answer, pool->total.lost_frames);
        case STREAM_INFO_RESENDS_ASKED: return answer_u64(answer, pool->total.resends_asked);
        case STREAM_INFO_RESENDS_RECOVERED: return answer_u64(answer, pool->total.resends_recovered);
        case STREAM_INFO_DUPLICATES: return answer_u64(answer, pool->total.duplicates);
        case STREAM_INFO_INVALID: return answer_u64(answer, pool->total.invalid);
        case STREAM_INFO_PACKET_SIZE: return answer_u64(answer, stream->packet_size);
        case STREAM_INFO_RECEIVE_BUFFER: return answer_u64(answer, stream->receive_buffer);
        case STREAM_INFO_RECEIVE_BUFFER_REQUEST: return answer_u64(answer, stream->receive_buffer_request);
        default: return answer_unknown(command);
    }
}

GC_ERROR stream_info(struct module *module, int32_t command, const struct answer *answer) {
    struct stream *stream = (struct stream *)module;
    pthread_mutex_lock(&stream->lock);
    GC_ERROR result = answer_locked(stream, command, answer);
    pthread_mutex_unlock(&stream->lock);
    return result;
}

GC_ERROR stream_set(struct module *module, int32_t command, uint64_t value) {
    struct stream *stream = (struct stream *)module;
    if (command != STREAM_INFO_RECEIVE_BUFFER_REQUEST)
        return fail(GC_ERR_ACCESS_DENIED, "this feature of the data stream is read-only");
    if (value < LEAST_SOCKET_MEMORY || value > MOST_SOCKET_MEMORY)
        return fail(GC_ERR_INVALID_VALUE, "a receive buffer of %llu bytes: %d to %d are possible",
                    (unsigned long long)value, LEAST_SOCKET_MEMORY, MOST_SOCKET_MEMORY);
    pthread_mutex_lock(&stream->lock);
    stream->receive_buffer_request = (uint32_t)value;
    pthread_mutex_unlock(&stream->lock);
    return GC_ERR_SUCCESS;
}
