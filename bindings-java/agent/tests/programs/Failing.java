package org.springframework.cloud.client.serviceregistry;

/** Has the name of a hooked class and none of its manners: our hook asks it for its registration, and it throws. */
class AbstractAutoServiceRegistration {
    private int asked;

    void register() {}

    Object getRegistration() {
        asked++;
        throw new IllegalStateException("on purpose");
    }

    /** Each line of the input is one registration; says how often the hook has asked so far. */
    public static void main(String[] arguments) throws Exception {
        AbstractAutoServiceRegistration registration = new AbstractAutoServiceRegistration();
        java.io.BufferedReader lines = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        System.out.println("ready 0");
        while (lines.readLine() != null) {
            registration.register();
            System.out.println(registration.asked);
        }
    }
}
