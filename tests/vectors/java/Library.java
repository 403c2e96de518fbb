import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The exports of libtrilane.so that the runner calls, as include/trilane.h declares them. */
final class Library {
    /** {@code TRILANE_ABI_VERSION} of the header that this was written from. */
    static final int ABI = 2;

    static final StructLayout STR = MemoryLayout.structLayout(ADDRESS.withName("ptr"), JAVA_LONG.withName("len"));
    static final StructLayout PAIR = MemoryLayout.structLayout(STR.withName("key"), STR.withName("value"));
    static final StructLayout INSTANCE = MemoryLayout.structLayout(
            STR.withName("address"), ADDRESS.withName("metadata"), JAVA_LONG.withName("metadata_len"),
            JAVA_BOOLEAN.withName("healthy"), MemoryLayout.paddingLayout(7));
    static final StructLayout OPTIONS = MemoryLayout.structLayout(
            JAVA_LONG.withName("struct_size"), STR.withName("settings"), STR.withName("binding"),
            JAVA_BOOLEAN.withName("explicit_start"), JAVA_BOOLEAN.withName("read_environment"),
            MemoryLayout.paddingLayout(6));

    private final Map<String, MethodHandle> functions = new HashMap<>();
    private final SymbolLookup symbols;

    /** Loads the library for as long as the process lives. */
    Library(Path file) {
        symbols = SymbolLookup.libraryLookup(file.toAbsolutePath(), Arena.global());
        define("trilane_abi_version", JAVA_INT);
        int abi = (int) call("trilane_abi_version");
        if (abi != ABI) {
            throw new IllegalStateException(file + " has ABI " + abi + ", this runner was written for " + ABI);
        }
        MemoryLayout engine = ADDRESS;
        MemoryLayout error = ADDRESS;
        define("trilane_engine_new", JAVA_INT, ADDRESS, ADDRESS, error);
        function("trilane_engine_free", FunctionDescriptor.ofVoid(engine));
        define("trilane_live", JAVA_LONG, engine, JAVA_INT);
        define("trilane_error_message", JAVA_LONG, error, ADDRESS, JAVA_LONG);
        function("trilane_error_free", FunctionDescriptor.ofVoid(error));
        define("trilane_tag_find", JAVA_INT, engine, STR);
        define("trilane_tag_name", JAVA_LONG, engine, JAVA_INT, ADDRESS, JAVA_LONG);
        define("trilane_inbound_names", JAVA_LONG, engine, JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS);
        define("trilane_inbound", JAVA_LONG, engine, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG);
        define("trilane_edge_names", JAVA_LONG, engine, ADDRESS, JAVA_LONG);
        define("trilane_edge", JAVA_INT, engine, STR);
        define("trilane_trace_names", JAVA_LONG, engine, ADDRESS, JAVA_LONG);
        define("trilane_trace_find", JAVA_INT, engine, STR);
        define("trilane_pass_names", JAVA_LONG, engine, ADDRESS, JAVA_LONG);
        define("trilane_pass", JAVA_INT, engine, ADDRESS, JAVA_LONG);
        define("trilane_known", JAVA_BOOLEAN, engine, STR);
        define("trilane_baggage_set", JAVA_LONG, engine, STR, STR, ADDRESS, JAVA_LONG);
        define("trilane_authority", JAVA_LONG, engine, STR);
        define("trilane_address", JAVA_LONG, engine, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
        define("trilane_list_new", JAVA_INT, engine, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, error);
        define("trilane_list_change", JAVA_INT, engine, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS,
                error);
        define("trilane_list_health", JAVA_INT, engine, JAVA_LONG, JAVA_INT, JAVA_BOOLEAN);
        define("trilane_list_free", JAVA_INT, engine, JAVA_LONG);
        define("trilane_list_stamp", JAVA_INT, engine, JAVA_LONG);
        define("trilane_route", JAVA_LONG, engine, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
        define("trilane_subset", JAVA_INT, engine, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS);
        define("trilane_explain", JAVA_LONG, engine, JAVA_LONG, STR, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG);
    }

    /** Calls an export; the arguments' types are those it was defined with. */
    Object call(String name, Object... arguments) {
        try {
            return functions.get(name).invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(name, e);
        }
    }

    private void define(String name, MemoryLayout result, MemoryLayout... parameters) {
        function(name, FunctionDescriptor.of(result, parameters));
    }

    private void function(String name, FunctionDescriptor descriptor) {
        var symbol = symbols.find(name).orElseThrow(() -> new IllegalStateException(name + " is not exported"));
        functions.put(name, Linker.nativeLinker().downcallHandle(symbol, descriptor));
    }
}
