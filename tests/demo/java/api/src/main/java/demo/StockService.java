package demo;

/** What the stock service offers over Dubbo. */
public interface StockService {
    /** Takes one item from the stock and says which copy did it. */
    String take(String item);
}
