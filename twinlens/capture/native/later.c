/* Functions that came after GenTL 1.5. Clients built for newer documents look them up and warn, or call NULL, when
 * they are missing; here each says that it is not implemented. Their arguments are never looked at. */
#include "errors.h"

GC_API DSAnnounceCompositeBuffer(void);
GC_API DSGetBufferInfoStacked(void);
GC_API DSGetBufferPartInfoStacked(void);
GC_API DSGetBufferSegmentInfo(void);
GC_API DSGetNumBufferSegments(void);
GC_API DSGetFlowInfo(void);
GC_API DSGetNumFlows(void);

static GC_ERROR refuse(const char *name) {
    return fail(GC_ERR_NOT_IMPLEMENTED, "%s came after GenTL 1.5, which this producer implements", name);
}

GC_API DSAnnounceCompositeBuffer(void) { return refuse("DSAnnounceCompositeBuffer"); }
GC_API DSGetBufferInfoStacked(void) { return refuse("DSGetBufferInfoStacked"); }
GC_API DSGetBufferPartInfoStacked(void) { return refuse("DSGetBufferPartInfoStacked"); }
GC_API DSGetBufferSegmentInfo(void) { return refuse("DSGetBufferSegmentInfo"); }
GC_API DSGetNumBufferSegments(void) { return refuse("DSGetNumBufferSegments"); }
GC_API DSGetFlowInfo(void) { return refuse("DSGetFlowInfo"); }
GC_API DSGetNumFlows(void) { return refuse("DSGetNumFlows"); }
