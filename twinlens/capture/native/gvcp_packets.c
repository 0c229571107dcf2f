/* Layouts of GVCP headers. The payload of each acknowledge is read where its command is sent. */
#include "gvcp_packets.h"

#include "bytes.h"

enum { KEY_COMMAND = 0x42 };

void gvcp_put_header(uint8_t *packet, uint8_t flags, uint16_t command, uint16_t payload_size, uint16_t request_id) {
    packet[0] = KEY_COMMAND;
    packet[1] = flags;
    put_u16(packet + 2, command);
    put_u16(packet + 4, payload_size);
    put_u16(packet + 6, request_id);
}

bool gvcp_parse_acknowledge(const uint8_t *packet, size_t size, struct gvcp_acknowledge *acknowledge) {
    if (size < GVCP_HEADER) return false;
    *acknowledge = (struct gvcp_acknowledge){
        .status = get_u16(packet),
        .code = get_u16(packet + 2),
        .request_id = get_u16(packet + 6),
        .payload = packet + GVCP_HEADER,
        .size = size - GVCP_HEADER,
    };
    return get_u16(packet + 4) == acknowledge->size;
}

bool gvcp_parse_pending(const struct gvcp_acknowledge *acknowledge, uint16_t *wait_ms) {
    if (acknowledge->code != GVCP_PENDING_ACKNOWLEDGE || acknowledge->size < 4) return false;
    *wait_ms = get_u16(acknowledge->payload + 2);
    return true;
}

const char *gvcp_status_text(uint16_t status) {
    switch (status) {
        case 0x8001: return "command not implemented";
        case 0x8002: return "value refused";
        case 0x8003: return "no such address";
        case 0x8004: return "register is read-only";
        case 0x8005: return "address not aligned";
        case 0x8006: return "access denied, another application controls the camera";
        case 0x8007: return "busy";
        case 0x800E: return "header refused";
        default: return "failed";
    }
}

const char *gvcp_command_name(uint16_t command) {
    switch (command) {
        case GVCP_DISCOVERY: return "DISCOVERY";
        case GVCP_FORCE_IP: return "FORCEIP";
        case GVCP_READ_REGISTER: return "READREG";
        case GVCP_WRITE_REGISTER: return "WRITEREG";
        case GVCP_READ_MEMORY: return "READMEM";
        case GVCP_WRITE_MEMORY: return "WRITEMEM";
        default: return "command";
    }
}
