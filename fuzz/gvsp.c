/* Stream packets, right and wrong ones, through the assembly into buffers. */
#include "../twinlens/capture/native/bytes.h"
#include "stream_pool.h"

enum { LANDINGS = 16, LEADER = 44 };

/* A packet of a form that is not thrown out at once: fields are chosen, the rest is the fuzzer's. */
static void take_shaped(struct assembly *assembly, struct input *input, int64_t now_ms) {
    uint8_t shape = next_u8(input);
    bool extended = shape & 4;
    size_t header = gvsp_header_size(extended);
    size_t stride = assembly->packet_size - IP_UDP_HEADERS - header;
    uint8_t kind = shape % 4;
    size_t size = header + (kind == GVSP_PAYLOAD ? (shape & 8 ? next_u16(input) % (stride + 2) : stride) : LEADER - 8);
    uint8_t *datagram = calloc(1, size);
    if (datagram == NULL) abort();
    uint16_t block_id = next_u8(input), packet_id = next_u8(input);
    if (shape & 16) block_id |= 0xFF00;
    datagram[4] = (uint8_t)(kind | (extended ? 0x80 : 0));
    if (shape & 32) put_u16(datagram, (uint16_t)(0x8000 | next_u8(input)));
    put_u16(datagram + (extended ? 14 : 2), block_id);
    put_u16(datagram + (extended ? 18 : 6), packet_id);
    if (kind == GVSP_LEADER) {
        uint8_t *leader = datagram + header;
        put_u16(leader + 2, 1);
        put_u32(leader + 8, next_u8(input));
        put_u32(leader + 12, 0x01080001u + ((uint32_t)next_u8(input) << 16));
        put_u32(leader + 16, next_u8(input));
        put_u32(leader + 20, next_u8(input));
        put_u16(leader + 32, shape & 64 ? next_u16(input) : 0);
        put_u16(leader + 34, shape & 128 ? next_u16(input) : 0);
    }
    assembly_take(assembly, datagram, size, now_ms);
    free(datagram);
}

static void take_raw(struct assembly *assembly, struct input *input, int64_t now_ms) {
    size_t size = next_u8(input);
    uint8_t *datagram = next_copy(input, &size);
    assembly_take(assembly, datagram, size, now_ms);
    free(datagram);
}

/* What the kernel does: fill every foretold place, then only the first few prove right. */
static void land(struct assembly *assembly, uint32_t right, int64_t now_ms) {
    struct landing landings[LANDINGS];
    uint32_t count = assembly_foretell(assembly, landings, LANDINGS);
    for (uint32_t index = 0; index < count; index++) memset(landings[index].memory, 0xA5, landings[index].size);
    for (uint32_t index = 0; index < count && index < right; index++)
        assembly_confirm(assembly, &landings[index], now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct stream_pool pool;
    struct assembly assembly;
    int64_t now_ms = 1000;
    stream_pool_open(&pool, &input);
    stream_assembly_open(&assembly, &pool, &input);
    while (input.left > 0) {
        uint8_t deed = next_u8(&input);
        switch (deed % 8) {
            case 0: take_raw(&assembly, &input, now_ms); break;
            case 1:
            case 2:
            case 3: take_shaped(&assembly, &input, now_ms); break;
            case 4: land(&assembly, deed >> 3, now_ms); break;
            case 5: stream_pool_requeue(&pool); break;
            case 6: now_ms += (deed >> 3) * 7; break;
            default: deed < 16 ? assembly_discard(&assembly) : assembly_ask(&assembly, now_ms); break;
        }
        if (deed & 0x80) assembly_expire(&assembly, now_ms);
        (void)assembly_patience_ms(&assembly, now_ms);
    }
    assembly_finish(&assembly);
    stream_pool_close(&pool);
    return 0;
}
