package java.trilane;

/** Hooks of Spring Boot: the name that this service gives itself in its configuration. */
public final class SpringBoot {
    private static final Call PROPERTY = new Call("getProperty", String.class);
    private static final Call CONTEXT = new Call("getWebApplicationContext");
    private static final Call ENVIRONMENT = new Call("getEnvironment");

    /** True once a configuration was asked that was complete. */
    private static volatile boolean asked;

    private SpringBoot() {}

    /** {@code SpringApplication.prepareEnvironment}: all files and variables have been read by now. */
    public static Object environment(Object environment) {
        if (environment != null && Trilane.on(Trilane.SPRING_BOOT)) {
            try {
                learn(environment);
            } catch (Throwable cause) {
                Trilane.failed("spring-boot", cause);
            }
        }
        return environment;
    }

    /** {@code DispatcherServlet.doService}: the first request after the library came into a running process. */
    public static void serving(Object servlet) {
        if (asked || servlet == null || !Trilane.on(Trilane.SPRING_BOOT)) {
            return;
        }
        asked = true;
        try {
            Object context = CONTEXT.on(servlet);
            if (context != null) {
                learn(ENVIRONMENT.on(context));
            }
        } catch (Throwable cause) {
            Trilane.failed("spring-boot", cause);
        }
    }

    private static void learn(Object environment) throws Throwable {
        String name = (String) PROPERTY.on(environment, "spring.application.name");
        if (name != null && !name.isEmpty()) {
            asked = true;
            Native.learnService(name);
        }
    }
}
