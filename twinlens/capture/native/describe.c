/* Writes GenApi XML (schema 1.1): a root category, one register node per feature, one port. */
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

static void write_feature(FILE *out, const struct feature *feature, const char *port_name, unsigned address) {
    int is_text = feature->type == FEATURE_TEXT;
    fprintf(out, "<%s Name=\"%s\" NameSpace=\"Standard\">\n", is_text ? "StringReg" : "IntReg", feature->name);
    fprintf(out, "<ToolTip>%s</ToolTip>\n", feature->tooltip);
    fprintf(out, "<Address>0x%x</Address><Length>%d</Length>", address, is_text ? FEATURE_TEXT_SIZE : 8);
    fprintf(out, "<AccessMode>RO</AccessMode><pPort>%s</pPort><Cachable>NoCache</Cachable>\n", port_name);
    if (is_text)
        fputs("</StringReg>\n", out);
    else
        fputs("<Sign>Signed</Sign><Endianess>LittleEndian</Endianess></IntReg>\n", out);
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
    for (size_t index = 0; index < description->feature_count; index++)
        write_feature(out, &description->features[index], description->port_name,
                      FEATURE_ADDRESS + (unsigned)index * FEATURE_SLOT);
    fprintf(out, "<Port Name=\"%s\" NameSpace=\"Standard\"/>\n</RegisterDescription>\n", description->port_name);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
