/* Writes GenApi XML (schema 1.1): a root category, one register node per feature (and a command node above those that are
 * commands), one port. */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>

static const char head[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    "<RegisterDescription ModelName=\"%s\" VendorName=\"twinlens\" ToolTip=\"twinlens GigE Vision producer\" "
    "StandardNameSpace=\"None\" SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" SchemaSubMinorVersion=\"0\" "
    "MajorVersion=\"1\" MinorVersion=\"0\" SubMinorVersion=\"0\" "
    "ProductGuid=\"9a3f51c2-6a0e-4c53-8f0b-1d6c2b7e5a01\" VersionGuid=\"5d2b8e94-0f7c-4b1d-a6c3-72e9f4d81b02\" "
    "xmlns=\"http://www.genicam.org/GenApi/Version_1_1\" "
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
    "xsi:schemaLocation=\"http://www.genicam.org/GenApi/Version_1_1 "
    "http://www.genicam.org/GenApi/GenApiSchema_Version_1_1.xsd\">\n"
    "<Category Name=\"Root\" NameSpace=\"Standard\">\n";

bool feature_is_writable(const struct feature *feature) { return feature->type >= FEATURE_WRITABLE_INTEGER; }

static void write_text(FILE *out, const struct feature *feature, const char *port_name, unsigned address) {
    fprintf(out, "<StringReg Name=\"%s\" NameSpace=\"Standard\">\n", feature->name);
    fprintf(out, "<ToolTip>%s</ToolTip>\n", feature->tooltip);
    fprintf(out, "<Address>0x%x</Address><Length>%d</Length>", address, FEATURE_TEXT_SIZE);
    fprintf(out, "<AccessMode>RO</AccessMode><pPort>%s</pPort><Cachable>NoCache</Cachable></StringReg>\n", port_name);
}

static void write_number(FILE *out, const struct feature *feature, const char *port_name, unsigned address) {
    bool is_command = feature->type == FEATURE_COMMAND;
    bool is_ipv4 = feature->type == FEATURE_IPV4 || feature->type == FEATURE_WRITABLE_IPV4;
    const char *representation = is_ipv4                        ? "<Representation>IPV4Address</Representation>"
                                 : feature->type == FEATURE_MAC ? "<Representation>MACAddress</Representation>"
                                                                : "";
    if (is_command)
        fprintf(out,
                "<Command Name=\"%s\" NameSpace=\"Standard\">\n<ToolTip>%s</ToolTip><pValue>%sReg</pValue>"
                "<CommandValue>1</CommandValue></Command>\n",
                feature->name, feature->tooltip, feature->name);
    fprintf(out, "<IntReg Name=\"%s%s\" NameSpace=\"%s\">\n", feature->name, is_command ? "Reg" : "",
            is_command ? "Custom" : "Standard");
    if (!is_command) fprintf(out, "<ToolTip>%s</ToolTip>\n", feature->tooltip);
    fprintf(out, "<Address>0x%x</Address><Length>8</Length><AccessMode>%s</AccessMode>", address,
            feature_is_writable(feature) ? "RW" : "RO");
    fprintf(out, "<pPort>%s</pPort><Cachable>NoCache</Cachable>", port_name);
    fprintf(out, "<Sign>Signed</Sign><Endianess>LittleEndian</Endianess>%s</IntReg>\n", representation);
}

char *describe(const struct description *description) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    fprintf(out, head, description->model);
    for (size_t index = 0; index < description->feature_count; index++)
        fprintf(out, "<pFeature>%s</pFeature>\n", description->features[index].name);
    fputs("</Category>\n", out);
    for (size_t index = 0; index < description->feature_count; index++) {
        const struct feature *feature = &description->features[index];
        unsigned address = FEATURE_ADDRESS + (unsigned)index * FEATURE_SLOT;
        (feature->type == FEATURE_TEXT ? write_text : write_number)(out, feature, description->port_name, address);
    }
    fprintf(out, "<Port Name=\"%s\" NameSpace=\"Standard\"/>\n</RegisterDescription>\n", description->port_name);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
