package java.trilane;

/** Hooks of Spring Boot: the name that this service gives itself in its configuration. */
public final class SpringBoot {
    private static final Call PROPERTY = new Call("getProperty", String.class);

    private SpringBoot() {}

    /** {@code SpringApplication.prepareEnvironment}: all files and variables have been read by now. */
    public static Object environment(Object environment) {
        if (environment != null && Trilane.on(Trilane.SPRING_BOOT)) {
            try {
                String name = (String) PROPERTY.on(environment, "spring.application.name");
                if (name != null && !name.isEmpty()) {
                    Native.learnService(name);
                }
            } catch (Throwable cause) {
                Trilane.failed("spring-boot", cause);
            }
        }
        return environment;
    }
}
