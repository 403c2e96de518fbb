package demo;

import org.apache.dubbo.config.annotation.DubboReference;
import org.apache.dubbo.config.spring.context.annotation.EnableDubbo;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Takes orders over HTTP and asks stock over Dubbo. */
@SpringBootApplication
@EnableDubbo
@RestController
public class Order {
    @DubboReference
    private StockService stock;

    @Value("${copy:base}")
    private String copy;

    @GetMapping(value = "/order", produces = "text/plain")
    public String order(@RequestParam String item) {
        return "order(" + copy + ")>" + stock.take(item);
    }

    public static void main(String[] args) {
        SpringApplication.run(Order.class, args);
    }
}
