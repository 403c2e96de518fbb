package java.trilane;

/** What travels with a request inside the process. Immutable. */
final class Scope {
    /** The id of a tag that nobody named: carried as text. */
    static final int UNKNOWN = 65535;

    /** The engine's number of the tag. */
    final int id;
    /** The tag; never empty. */
    final String tag;
    /** The tag as carrier {@code __microservice_tag__}; its characters need no escape. */
    final String member;

    private static volatile Scope[] known = new Scope[8];

    private Scope(int id, String tag) {
        this.id = id;
        this.tag = tag;
        this.member = "[{\"name\":\"" + tag + "\"}]";
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

    static Scope unknown(String tag) {
        return new Scope(UNKNOWN, tag);
    }
}
