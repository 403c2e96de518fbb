/* How many lists the library holds in this process; its functions are found where the agent was loaded from. */
#include <dlfcn.h>
#include <jni.h>
#include <stddef.h>

#include "trilane.h"

JNIEXPORT jlong JNICALL Java_it_Redeploy_lists(JNIEnv *env, jclass type, jstring path) {
    const char *file = (*env)->GetStringUTFChars(env, path, NULL);
    void *library = dlopen(file, RTLD_NOW | RTLD_NOLOAD);
    (*env)->ReleaseStringUTFChars(env, path, file);
    (void)type;
    if (library == NULL) return -2;
    enum trilane_status (*get)(const struct trilane_options *, const struct trilane_engine **, struct trilane_error **);
    int64_t (*live)(const struct trilane_engine *, uint32_t);
    *(void **)&get = dlsym(library, "trilane_engine_default");
    *(void **)&live = dlsym(library, "trilane_live");
    const struct trilane_engine *engine = NULL;
    if (get == NULL || live == NULL || get(NULL, &engine, NULL) != 0) return -3;
    return live(engine, 1);
}
