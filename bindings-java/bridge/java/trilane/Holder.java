package java.trilane;

/** The one mutable thing that a thread keeps: its scope, and what is to be restored. */
final class Holder {
    /** Null: no tag. */
    Scope scope;
    /** What the frames below have saved. */
    Frame frame;
    /** The fork-join task that the thread is about to run for itself. */
    Object own;
    /** The timer task at the head of the queue of this timer's thread. */
    Object timerTask;
    /** What {@link JdkUrlConnection} takes back when the headers are on the wire. */
    Object urlConnection;
    /** How many calls of java.net.http's send are on this thread's stack. */
    int sending;
    /** What a Dubbo directory knew when it left the choice to Dubbo's routers first. */
    Object routing;

    /**
     * Begins a frame that belongs to {@code owner}; a nested call with the same owner changes nothing.
     *
     * @return true if this is the outermost call of this owner
     */
    boolean enter(Object owner) {
        Frame top = frame;
        if (top != null && top.owner == owner) {
            top.depth++;
            return false;
        }
        frame = new Frame(owner, scope, top);
        return true;
    }

    /** Ends the frame of {@code owner}: the outermost exit restores what was before. */
    void exit(Object owner) {
        Frame top = frame;
        if (top == null || top.owner != owner) {
            return; // the entry did nothing, for example because the library was switched on since
        }
        if (top.depth-- == 0) {
            scope = top.before;
            frame = top.next;
        }
    }

    /** Whose frame this is; null if there is none. */
    Object owner() {
        return frame == null ? null : frame.owner;
    }

    private static final class Frame {
        final Object owner;
        final Scope before;
        final Frame next;
        int depth;

        Frame(Object owner, Scope before, Frame next) {
            this.owner = owner;
            this.before = before;
            this.next = next;
        }
    }
}
