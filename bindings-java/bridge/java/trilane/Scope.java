package java.trilane;

/** What travels with a request inside the process. Immutable. Without a tag it only passes headers on. */
final class Scope {
    /** The id of a tag that nobody named: carried as text. */
    static final int UNKNOWN = 65535;

    /** The engine's number of the tag; 0 without one. */
    final int id;
    /** The tag; empty without one. The object is ours alone. */
    final String tag;
    /** The tag as carrier {@code __microservice_tag__}; its characters need no escape. */
    final String member;
    /** Name, value, name, value of the headers that are passed through; null if there is none. */
    final String[] pass;
    /** The call that an instance is being chosen for; null at any other time. */
    final Object call;

    private static volatile Scope[] known = new Scope[8];
    /** The last unknown tags, one a slot: bounded, whatever comes in. */
    private static final String[] RECENT = new String[256];

    private Scope(int id, String tag) {
        this(id, tag, "[{\"name\":\"" + tag + "\"}]", null, null);
    }

    private Scope(int id, String tag, String member, String[] pass, Object call) {
        this.id = id;
        this.tag = tag;
        this.member = member;
        this.pass = pass;
        this.call = call;
    }

    /** The scope, null for none, that also passes these headers on. */
    static Scope passing(Scope scope, String[] pass) {
        return scope == null ? new Scope(0, "", "", pass, null)
                : new Scope(scope.id, scope.tag, scope.member, pass, null);
    }

    /** The scope, null for none, while an instance is chosen for this call. */
    static Scope calling(Scope scope, Object call) {
        return scope == null ? new Scope(0, "", "", null, call)
                : new Scope(scope.id, scope.tag, scope.member, scope.pass, call);
    }

    /** The scope of a tag that the engine knows by number; null if it does not. Numbers never change their tag. */
    static Scope of(int id) {
        Scope[] all = known;
        if (id < all.length && all[id] != null) {
            return all[id];
        }
        String tag = id == 0 || id == UNKNOWN ? null : Native.tagName(id);
        if (tag == null || tag.isEmpty()) {
            return null;
        }
        Scope made = new Scope(id, tag);
        Scope[] grown = new Scope[Math.max(all.length, id + 1)];
        System.arraycopy(all, 0, grown, 0, all.length);
        grown[id] = made;
        known = grown; // a lost race costs one more look-up
        return made;
    }

    /** The scope of a tag that nobody named. */
    static Scope unknown(String tag) {
        int slot = tag.hashCode() & (RECENT.length - 1);
        String recent = RECENT[slot];
        if (!tag.equals(recent)) {
            recent = tag;
            RECENT[slot] = tag;
        }
        return new Scope(UNKNOWN, recent);
    }

    /** True if this very object was written by us, not a text of the application's that happens to be equal. */
    static boolean wrote(String value) {
        if (value == null) {
            return false;
        }
        if (RECENT[value.hashCode() & (RECENT.length - 1)] == value) {
            return true;
        }
        Scope[] all = known;
        for (int i = 0; i < all.length; i++) {
            if (all[i] != null && all[i].tag == value) {
                return true;
            }
        }
        return false;
    }
}
